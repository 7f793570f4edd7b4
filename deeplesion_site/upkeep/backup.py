"""A backup is a folder: the database in one file, every other file of DATA_DIR, and a list of them with their hashes.

Files never change once they are written, so a later backup into the same folder copies only what is new. The database
is copied first: whatever it names is then there to be copied. Slices in a bucket are files of the backup as well: it
can be brought back into a folder or into a bucket, whatever it was taken from.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import Storage
from django.db import connection

from datasets import storage
from datasets.services.errors import Refused
from deeplesion_site.upkeep import database, files

FORMAT = 1
ABOUT, LIST, FILES = "backup.json", "files.jsonl", "files"

LEFT_OUT = ("db.sqlite3", "broker", "beat.dat", "exports", "pacs", "secret_key")
"""What is no part of the dataset, or made of it again when it is wanted."""

SLICES = "slices/"
"""Below it lie slices, in DATA_DIR and in a bucket."""

MAX_LINE, MAX_ABOUT_BYTES = 4096, 64 << 10
"""Of the list of files, and of what is said of the backup."""

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class ToKeep:
    """A file for a backup: its name, bytes, time of writing in ns; `copy` copies it and gives its SHA-256."""

    path: str
    size: int
    time: int
    copy: Callable[[Path], str]


def back_up(folder: Path, progress: Progress) -> dict[str, int]:
    """Write or renew the backup in a folder; returns how many files and bytes it holds and how many were copied.

    Raises
    ------
    Refused, OSError : the backup that was there stays as it was, but for files that are new.
    """
    source = Path(settings.DATA_DIR)
    if folder.resolve().is_relative_to(source):
        raise Refused("the backup cannot lie in DATA_DIR: name a folder on another disk")
    folder.mkdir(parents=True, exist_ok=True)
    known = {entry["path"]: entry for entry in _listed(folder)} if (folder / LIST).is_file() else {}
    database.dump(folder)
    found = [*_of_folder(source), *_of_bucket()]
    counted = {"files": 0, "bytes": 0, "copied": 0}
    part = folder / f".{LIST}.part"
    with part.open("w", encoding="utf-8") as listing:
        for done, file in enumerate(found, start=1):
            entry: dict[str, Any] = {"path": file.path, "bytes": file.size, "time": file.time}
            before = known.get(file.path, {})
            if {**before, **entry} == before and _size(folder / FILES / file.path) == file.size:
                entry["sha256"] = before["sha256"]
            else:
                entry["sha256"] = file.copy(folder / FILES / file.path)
                counted["copied"] += 1
            counted["files"] += 1
            counted["bytes"] += file.size
            listing.write(json.dumps(entry) + "\n")
            progress(done, len(found))
    part.replace(folder / LIST)
    about = {"format": FORMAT, "database": connection.vendor, "made": datetime.now(UTC).isoformat(timespec="seconds")}
    (folder / ABOUT).write_text(json.dumps({**about, **counted}, indent=1) + "\n", encoding="utf-8")
    return counted


def restore(folder: Path, progress: Progress) -> dict[str, int]:
    """Bring a backup back into an empty DATA_DIR and an empty database; every file is compared with its hash.

    Interrupted, it can be run again.

    Raises
    ------
    Refused : it is no backup, the database is not empty, or a file of the backup is damaged.
    """
    try:
        about = json.loads(files.text(folder / ABOUT, MAX_ABOUT_BYTES))
        entries = list(_listed(folder))
    except (OSError, ValueError, KeyError) as error:
        raise Refused(f"{folder} holds no backup that is complete") from error
    if about.get("format") != FORMAT:
        raise Refused(f"{folder} was written by another version: its format is {about.get('format')}, not {FORMAT}")
    if about["database"] != connection.vendor:
        raise Refused(f"the backup is of {about['database']}, and DATABASE_URL names {connection.vendor}")
    if connection.introspection.table_names():
        raise Refused("the database is not empty: restore into a new one")
    target, slices = Path(settings.DATA_DIR), storage.bucket()
    missing = [entry for entry in entries if _size(target / entry["path"]) != entry["bytes"]]
    needed = sum(entry["bytes"] for entry in missing if slices is None or not entry["path"].startswith(SLICES))
    free = shutil.disk_usage(target).free
    if needed > free:
        raise Refused(f"the backup needs {needed / 1e9:.1f} GB more, and DATA_DIR has room for {free / 1e9:.1f} GB")
    for done, entry in enumerate(entries, start=1):
        path = target / entry["path"]
        if not path.resolve().is_relative_to(target) or ".." in path.parts:
            raise Refused(f"the backup names a file outside itself: {entry['path']}")
        kept = folder / FILES / entry["path"]
        if slices is not None and entry["path"].startswith(SLICES):
            _into_bucket(slices, kept, entry)
        else:
            there = _size(path) == entry["bytes"] and files.sha256(path) == entry["sha256"]
            if not there and files.copy(kept, path) != entry["sha256"]:
                path.unlink()
                raise Refused(f"{kept} is damaged")
        progress(done, len(entries))
    database.load(folder)
    return {"files": len(entries), "bytes": sum(entry["bytes"] for entry in entries)}


def _of_folder(source: Path) -> Iterator[ToKeep]:
    for path in files.below(source, _left_out()):
        status = path.stat()
        yield ToKeep(
            path.relative_to(source).as_posix(), status.st_size, status.st_mtime_ns, partial(files.copy, path)
        )


def _of_bucket() -> Iterator[ToKeep]:
    slices = storage.bucket()
    if slices is None:
        return
    for entry in slices.entries():
        yield ToKeep(f"{SLICES}{entry.name}", entry.size, entry.time, partial(_fetch, slices, entry.name))


def _fetch(slices: Storage, name: str, target: Path) -> str:
    with slices.open(name) as file:
        return files.write(file.chunks(files.CHUNK), target)


def _into_bucket(slices: Storage, kept: Path, entry: dict[str, Any]) -> None:
    """Put a slice of a backup where it was, once its hash was compared.

    Raises
    ------
    Refused : it is damaged.
    """
    if not kept.is_file() or files.sha256(kept) != entry["sha256"]:
        raise Refused(f"{kept} is damaged")
    name = entry["path"].removeprefix(SLICES)
    with suppress(FileNotFoundError), slices.open(name) as file:
        if hashlib.file_digest(file, "sha256").hexdigest() == entry["sha256"]:
            return
    with kept.open("rb") as content:
        slices.save(name, File(content))


def _left_out() -> frozenset[str]:
    """The key is left out as well: a backup with the key beside it would undo the pseudonyms."""
    names = {*LEFT_OUT, Path(settings.IDENTITY_KEY_FILE).name, Path(str(connection.settings_dict["NAME"])).name}
    return frozenset(name + ending for name in names for ending in ("", "-wal", "-shm"))


def _listed(folder: Path) -> Iterator[dict[str, Any]]:
    with (folder / LIST).open(encoding="utf-8") as listing:
        while line := listing.readline(MAX_LINE):
            yield json.loads(line)


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None
