"""The manifest of a published release: every file with size and SHA-256, written once and then the same for all."""

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from django.db import transaction

from datasets import manifest as file_format
from datasets.dl_info import SPLITS
from datasets.models import Release, ReleaseManifest, Slice
from datasets.selectors.releases import COUNTED, leaks_looked_for
from datasets.services import release_contents
from datasets.services.errors import Refused
from datasets.services.fence import Fence
from datasets.services.hashing import MissingImage
from datasets.storage import release_folder
from datasets.version import VERSION

Progress = Callable[[int, int], None]
Entry = tuple[str, int, str]
"""Name in the release, bytes, SHA-256."""

INDENT = "  "
ENTRY = f'{INDENT}{{"path": '
"""How the line of an entry begins, and no other."""

LOOK_EVERY_S = 0.2
"""How often whether another process has written the manifest."""


class NotPublished(Refused):
    """Only a published release has a manifest."""


class ManifestDiffers(Refused):
    """What a release would hold now is not what its manifest says."""


def path_of(release: Release) -> Path:
    """Where the manifest of a release lies."""
    return release_folder(release.name) / file_format.FILE_NAME


def prepare(
    *, release_name: str, progress: Progress | None = None, fence: Fence = transaction.atomic
) -> ReleaseManifest:
    """Write the manifest of a published release, unless it is there already.

    Parameters
    ----------
    progress : called with the slices done and their number, with 0 of 0 while another process writes it; what it
        raises ends this.

    Raises
    ------
    NotPublished, MissingImage, ManifestDiffers : nothing was written.
    """
    release = Release.objects.select_related("collection").filter(name=release_name).first()
    if release is None or release.state != Release.State.PUBLISHED:
        raise NotPublished(f"{release_name} is not a published release")
    target = path_of(release)
    known = _known(release)
    if known is not None and target.is_file():
        return known
    files = size = 0

    def entries() -> Iterator[Entry]:
        nonlocal files, size
        for entry in chain([table_entry(release)], _images(release, progress)):
            files, size = files + 1, size + entry[1]
            yield entry

    target.parent.mkdir(parents=True, exist_ok=True)
    with _part(target, waiting=lambda: progress(0, 0) if progress else None) as (part, file):
        known = _known(release)
        if known is not None and target.is_file():
            return known
        digest = _write(release, file, entries())
        if known is not None and known.sha256 != digest:
            raise ManifestDiffers(f"{release.name} holds other files than its manifest says")
        with fence():
            part.replace(target)
            known, _ = ReleaseManifest.objects.get_or_create(
                release=release, defaults={"sha256": digest, "files": files, "bytes": size}
            )
    return known


def _known(release: Release) -> ReleaseManifest | None:
    return ReleaseManifest.objects.filter(release=release).first()


@contextmanager
def _part(target: Path, waiting: Callable[[], None]) -> Iterator[tuple[Path, BinaryIO]]:
    """Give the file that becomes `target`, empty and for this process alone.

    Parameters
    ----------
    waiting : called again and again while another process has it.
    """
    part = target.with_name(f".{target.name}.part")
    while True:
        with part.open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                time.sleep(LOOK_EVERY_S)
                continue
            if not _is_at(part, file):
                # Whoever had it has put it in its place.
                continue
            file.truncate(0)
            try:
                yield part, file
            finally:
                if _is_at(part, file):
                    part.unlink()
            return


def _is_at(path: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def write(release: Release, path: Path, entries: Iterable[Entry]) -> str:
    """Write a manifest of some files of a release, entry by entry; returns its SHA-256."""
    with path.open("wb") as file:
        return _write(release, file, entries)


def _write(release: Release, file: BinaryIO, entries: Iterable[Entry]) -> str:
    digest = hashlib.sha256()
    for text in _text(release, entries):
        data = text.encode()
        digest.update(data)
        file.write(data)
    file.flush()
    return digest.hexdigest()


def table_entry(release: Release) -> Entry:
    """DL_info.csv."""
    digest, size = hashlib.sha256(), 0
    for line in release_contents.csv_lines(release):
        digest.update(line.encode())
        size += len(line.encode())
    return file_format.TABLE, size, digest.hexdigest()


def check_listed(release: Release) -> Iterator[Entry]:
    """Give what the manifest of a release lists, which is the manifest that it was prepared with.

    Raises
    ------
    ManifestDiffers : the file was changed.
    """
    path, known = path_of(release), _known(release)
    with path.open("rb") as file:
        if known is None or hashlib.file_digest(file, "sha256").hexdigest() != known.sha256:
            raise ManifestDiffers(f"{path} is damaged: it is not the manifest that {release.name} was prepared with")
    return _entries(path)


def _entries(path: Path) -> Iterator[Entry]:
    """Read an entry at a time, which stands on a line of its own: a release may have a million files."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.startswith(ENTRY):
                entry = json.loads(line.rstrip().removesuffix(","))
                yield entry["path"], entry["bytes"], entry["sha256"]


def check_next(release: Release, found: Entry | None, listed: Iterator[Entry]) -> None:
    """Hold a file of a release, or None where there is no more, against the next that its manifest lists.

    Raises
    ------
    ManifestDiffers : with what differs.
    """
    expected = next(listed, None)
    if found == expected:
        return
    name, listed_name = (each[0] if each else "nothing" for each in (found, expected))
    told = f"{name} has another size or SHA-256" if name == listed_name else f"it lists {listed_name}, found is {name}"
    raise ManifestDiffers(f"{release.name} holds other files than its manifest says: {told}")


def image_entry(image: Slice) -> Entry:
    """An image, as the database knows it."""
    return f"{file_format.IMAGES}/{image.path}", image.bytes or 0, image.sha256


def _text(release: Release, entries: Iterable[Entry]) -> Iterator[str]:
    header = json.dumps(_header(release), indent=1)
    yield header.removesuffix("\n}") + ',\n "files": ['
    separator = f"\n{INDENT}"
    for name, size, digest in entries:
        yield separator + json.dumps({"path": name, "bytes": size, "sha256": digest})
        separator = f",\n{INDENT}"
    yield "\n ]\n}\n"


def _header(release: Release) -> dict[str, Any]:
    return {
        "format_version": file_format.FORMAT_VERSION,
        "name": release.name,
        "created": release.published.isoformat() if release.published else None,
        "generator": f"deeplesion {VERSION}",
        "coordinate_convention": file_format.COORDINATE_CONVENTION,
        "collection": release.collection.slug,
        "split": release.split_method,
        "location_sources": release.location_sources,
        "counts": _in_order(release.counts),
        "leaks": {**dict(sorted(release.compared.items())), "summary": leaks_looked_for(release)},
    }


def _in_order(counts: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """The same counts in one order: a database may keep the names of an object in its own."""
    return {split: {what: counts[split][what] for what in COUNTED} for split in SPLITS.values() if split in counts}


def _images(release: Release, progress: Progress | None) -> Iterator[Entry]:
    total = sum(counted["slices"] for counted in release.counts.values())
    done = 0
    for image in release_contents.slices(release):
        if not image.sha256:
            raise MissingImage(f"{image.path} was never hashed")
        yield image_entry(image)
        done += 1
        if progress is not None:
            progress(done, total)
    if done != total:
        raise ManifestDiffers(f"{release.name} had {total} slices when it was published, and has {done} now")
