"""A backup is brought back: every file is compared with its hash, and what the database does not know is left out."""

import hashlib
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PurePosixPath

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import Storage
from django.db import connection

from datasets import storage
from datasets.services.errors import Refused
from deeplesion_site.upkeep import database, files, kept, strangers
from deeplesion_site.upkeep.kept import Entry
from deeplesion_site.upkeep.strangers import SLICES

Progress = Callable[[int, int | None], None]


def restore(folder: Path, progress: Progress) -> dict[str, int]:
    """Bring a backup back into an empty DATA_DIR and an empty database; every file is compared with its hash.

    Interrupted, it can be run again.

    Raises
    ------
    Refused : it is no backup, the database is not empty, or a file of the backup is damaged.
    """
    about = kept.about(folder)
    entries = list(kept.entries(folder, about.list))
    if about.vendor != connection.vendor:
        raise Refused(f"the backup is of {about.vendor}, and DATABASE_URL names {connection.vendor}")
    if connection.introspection.table_names():
        raise Refused("the database is not empty: restore into a new one")
    dump = folder / about.dump
    if not dump.is_file():
        raise Refused(f"{folder} holds no backup that is complete")
    if files.sha256(dump) != about.dump_sha256:
        raise Refused(f"{dump} is damaged")
    target, contents, slices = Path(settings.DATA_DIR), folder / kept.FILES, storage.bucket()
    for entry in entries:
        if _is_outside(entry.path, target) or _is_outside(entry.kept, contents):
            raise Refused(f"the backup names a file outside itself: {entry.path}")
    missing = [entry for entry in entries if kept.size(target / entry.path) != entry.bytes]
    needed = sum(entry.bytes for entry in missing if slices is None or not entry.path.startswith(SLICES))
    free = shutil.disk_usage(target).free
    if needed > free:
        raise Refused(f"the backup needs {needed / 1e9:.1f} GB more, and DATA_DIR has room for {free / 1e9:.1f} GB")
    for done, entry in enumerate(entries, start=1):
        content = contents / entry.kept
        if slices is not None and entry.path.startswith(SLICES):
            _into_bucket(slices, content, entry)
        else:
            _into_folder(content, target / entry.path, entry)
        progress(done, len(entries))
    database.load(dump)
    return {"files": len(entries), "bytes": sum(entry.bytes for entry in entries)}


def leave_out_strangers(folder: Path) -> int:
    """Remove what a backup brought that no row knows, as it was written after the database was copied.

    A run or a job that is started now would take such a folder for its own. What was there before the restore stays.
    Returns how many files and folders it removed.
    """
    brought: set[str] = set()
    for entry in kept.entries(folder, kept.about(folder).list):
        brought.update((entry.path, *map(str, PurePosixPath(entry.path).parents)))
    found = [stranger for stranger in strangers.find() if stranger.name in brought]
    for stranger in found:
        stranger.remove()
    return len(found)


def _is_outside(name: str, folder: Path) -> bool:
    return ".." in Path(name).parts or not (folder / name).resolve().is_relative_to(folder.resolve())


def _into_folder(content: Path, path: Path, entry: Entry) -> None:
    """Put a file of a backup where it was, unless it is there.

    Raises
    ------
    Refused : it is damaged.
    """
    if kept.size(path) == entry.bytes and files.sha256(path) == entry.sha256:
        return
    try:
        copied = files.copy(content, path, entry.mode & 0o777)
    except FileNotFoundError as error:
        raise Refused(f"{content} is missing") from error
    if copied.sha256 != entry.sha256:
        path.unlink()
        raise Refused(f"{content} is damaged")


def _into_bucket(slices: Storage, content: Path, entry: Entry) -> None:
    """Put a slice of a backup where it was, once its hash was compared.

    Raises
    ------
    Refused : it is damaged.
    """
    if not content.is_file() or files.sha256(content) != entry.sha256:
        raise Refused(f"{content} is damaged")
    name = entry.path.removeprefix(SLICES)
    with suppress(FileNotFoundError), slices.open(name) as file:
        if hashlib.file_digest(file, "sha256").hexdigest() == entry.sha256:
            return
    with content.open("rb") as opened:
        slices.save(name, File(opened))
