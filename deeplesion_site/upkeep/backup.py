"""A backup is a folder: the database in one file, every other file of DATA_DIR, and a list of them with their hashes.

A later backup into the same folder copies only what is new; until it is complete the one before it stays as it was.
The database is copied first: whatever it names is then there to be copied. Slices in a bucket are files of the backup
as well: it can be brought back into a folder or into a bucket, whatever it was taken from.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from django.conf import settings
from django.core.files.storage import Storage
from django.db import connection

from datasets import storage
from datasets.services.errors import Refused
from datasets.services.harvest.order import NAME
from deeplesion_site.upkeep import database, files, kept
from deeplesion_site.upkeep.files import Written
from deeplesion_site.upkeep.kept import About, Entry
from deeplesion_site.upkeep.strangers import SLICES
from detection.models import TrainingRun
from workers.exported import alone_in
from workers.models import HarvestSchedule

ORDERS = "harvests"

LEFT_OUT = ("db.sqlite3", "broker", "exports", ORDERS, "identity_key", "pacs", "secret_key")
"""At the top of DATA_DIR: what is made again when it is wanted, keys, and orders, which may list accession numbers.

A key beside the database would undo the pseudonyms. Orders of planned harvests are kept: they list none, and what a
plan is to ask for stands nowhere else.
"""

LEFT_OUT_ALIKE = ("beat", "beat.*", "runs/*/cache")
"""What former versions' beat remembered, and decoded slices, half a megabyte each: a training that goes on makes them
again."""

BESIDE_SQLITE = ("", "-wal", "-shm", "-journal")

LASTING = (SLICES, "releases/", "bodypart/")
"""Below them nothing is ever removed: what vanishes there is lost."""

IN_A_BUCKET = 0o640
"""Rights of a slice that comes from a bucket, once it is a file."""

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class ToKeep:
    """A file for a backup: its name, bytes, time of writing in ns, rights; `copy` copies it."""

    path: str
    size: int
    time: int
    mode: int
    copy: Callable[[Path], Written]


def back_up(folder: Path, progress: Progress) -> dict[str, int]:
    """Write or renew the backup in a folder; returns how many files and bytes it holds and how many were copied.

    Raises
    ------
    Refused, OSError : the backup that was there stays as it was.
    """
    source = Path(settings.DATA_DIR).resolve()
    if folder.resolve().is_relative_to(source):
        raise Refused("the backup cannot lie in DATA_DIR: name a folder on another disk")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # It names whoever may sign in, and every lesion.
    folder.chmod(0o700)
    (folder / ".lock").touch(mode=0o600)
    with alone_in(folder / ".lock"):
        return _back_up(folder, source, progress)


def _back_up(folder: Path, source: Path, progress: Progress) -> dict[str, int]:
    before = {entry.path: entry for entry in _before(folder)}
    held = {entry.kept for entry in before.values()}
    made = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    checkpoints = frozenset(TrainingRun.objects.exclude(checkpoint="").values_list("checkpoint", flat=True))
    dump = database.dump(folder, made)
    dumped = files.sha256(dump)
    planned = _planned()
    lasting = checkpoints | frozenset(planned)
    found = [*_of_folder(source), *_of(source, map(source.joinpath, planned)), *_of_bucket()]
    counted = {"files": 0, "bytes": 0, "copied": 0}
    named: set[str] = set()

    def lines() -> Iterator[bytes]:
        for done, file in enumerate(found, start=1):
            entry = before.get(file.path)
            if entry is None or not _is_kept(entry, file, folder):
                entry = _kept(file, folder, f"{file.path}.{made}" if file.path in held else file.path, lasting)
                counted["copied"] += entry is not None
            if entry is not None:
                counted["files"] += 1
                counted["bytes"] += entry.bytes
                named.add(entry.kept)
                yield json.dumps(asdict(entry)).encode() + b"\n"
            progress(done, len(found))

    listing = folder / f"files-{made}.jsonl"
    files.write(lines(), listing)
    about = About(
        kept.FORMAT, connection.vendor, made, dump.name, dumped, listing.name, counted["files"], counted["bytes"]
    )
    # All of it is on the disk before it takes the place of the backup before it.
    os.sync()
    about.write(folder)
    _clear(folder, about, named)
    return counted


def _before(folder: Path) -> Iterable[Entry]:
    """What the backup that is there holds; of another version's nothing is taken over."""
    try:
        return list(kept.entries(folder, kept.about(folder).list))
    except Refused:
        return ()


def _is_kept(entry: Entry, file: ToKeep, folder: Path) -> bool:
    same = (entry.bytes, entry.time, entry.mode) == (file.size, file.time, file.mode)
    return same and kept.size(folder / kept.FILES / entry.kept) == file.size


def _kept(file: ToKeep, folder: Path, name: str, lasting: frozenset[str]) -> Entry | None:
    """Copy a file; None where it is not there any more and was none of those that last.

    Raises
    ------
    Refused : it was.
    """
    try:
        written = file.copy(folder / kept.FILES / name)
    except FileNotFoundError as error:
        if file.path.startswith(LASTING) or file.path in lasting:
            raise Refused(f"{file.path} vanished while it was copied, and the database needs it") from error
        return None
    return Entry(file.path, written.bytes, file.time, file.mode, written.sha256, name)


def _clear(folder: Path, about: About, named: set[str]) -> None:
    """Remove what the backup does not name: older databases and lists, contents of files that are gone."""
    for path in folder.iterdir():
        if kept.OURS.fullmatch(path.name) and path.name not in (about.dump, about.list):
            path.unlink()
    contents = folder / kept.FILES
    for place, folders, names in os.walk(contents, topdown=False):
        here = Path(place)
        for name in names:
            if (here / name).relative_to(contents).as_posix() not in named:
                (here / name).unlink()
        for name in folders:
            if not any((here / name).iterdir()):
                (here / name).rmdir()


def _planned() -> list[str]:
    """Files of the orders of planned harvests; plans are never removed: all that the copied database names."""
    names = HarvestSchedule.objects.order_by("order").values_list("order", flat=True)
    return [f"{ORDERS}/{name}.json" for name in names if NAME.fullmatch(name)]


def _of_folder(source: Path) -> Iterator[ToKeep]:
    return _of(source, files.below(source, _left_out(source)))


def _of(source: Path, paths: Iterable[Path]) -> Iterator[ToKeep]:
    for path in paths:
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        name, mode = path.relative_to(source).as_posix(), status.st_mode & 0o777
        yield ToKeep(name, status.st_size, status.st_mtime_ns, mode, partial(files.copy, path))


def _of_bucket() -> Iterator[ToKeep]:
    slices = storage.bucket()
    if slices is None:
        return
    for entry in slices.entries():
        yield ToKeep(f"{SLICES}{entry.name}", entry.size, entry.time, IN_A_BUCKET, partial(_fetch, slices, entry.name))


def _fetch(slices: Storage, name: str, target: Path) -> Written:
    with slices.open(name) as file:
        return files.write(file.chunks(files.CHUNK), target)


def _left_out(source: Path) -> frozenset[Path]:
    """Where it lies counts, not what it is called: a key may lie anywhere, and a collection may have any name."""
    paths = {*map(source.joinpath, LEFT_OUT), Path(settings.IDENTITY_KEY_FILE).resolve()}
    paths |= {path for pattern in LEFT_OUT_ALIKE for path in source.glob(pattern)}
    databases = {source / "db.sqlite3"}
    if connection.vendor == "sqlite":
        databases.add(Path(str(connection.settings_dict["NAME"])).resolve())
    return frozenset(paths | {path.with_name(path.name + ending) for path in databases for ending in BESIDE_SQLITE})
