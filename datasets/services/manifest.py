"""The manifest of a published release: every file with size and SHA-256, written once and then the same for all."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from django.db import transaction

from datasets import manifest as file_format
from datasets.dl_info import SPLITS
from datasets.models import Release, ReleaseManifest
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
    progress : called with the slices done and their number.

    Raises
    ------
    NotPublished, MissingImage, ManifestDiffers : nothing was written.
    """
    release = Release.objects.select_related("collection").filter(name=release_name).first()
    if release is None or release.state != Release.State.PUBLISHED:
        raise NotPublished(f"{release_name} is not a published release")
    known = ReleaseManifest.objects.filter(release=release).first()
    target = path_of(release)
    if known is not None and target.is_file():
        return known
    files = size = 0

    def entries() -> Iterator[Entry]:
        nonlocal files, size
        for entry in chain([table_entry(release)], _images(release, progress)):
            files, size = files + 1, size + entry[1]
            yield entry

    target.parent.mkdir(parents=True, exist_ok=True)
    for leftover in target.parent.glob(f".{target.name}.*.part"):
        # Of a process that was killed while it wrote.
        leftover.unlink(missing_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        digest = write(release, temporary, entries())
        if known is not None and known.sha256 != digest:
            raise ManifestDiffers(f"{release.name} holds other files than its manifest says")
        with fence():
            temporary.replace(target)
            known, _ = ReleaseManifest.objects.get_or_create(
                release=release, defaults={"sha256": digest, "files": files, "bytes": size}
            )
    finally:
        temporary.unlink(missing_ok=True)
    return known


def write(release: Release, path: Path, entries: Iterable[Entry]) -> str:
    """Write a manifest of some files of a release, entry by entry; returns its SHA-256."""
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for text in _text(release, entries):
            data = text.encode()
            digest.update(data)
            file.write(data)
    return digest.hexdigest()


def table_entry(release: Release) -> Entry:
    """DL_info.csv."""
    digest, size = hashlib.sha256(), 0
    for line in release_contents.csv_lines(release):
        digest.update(line.encode())
        size += len(line.encode())
    return file_format.TABLE, size, digest.hexdigest()


def _text(release: Release, entries: Iterable[Entry]) -> Iterator[str]:
    header = json.dumps(_header(release), indent=1)
    yield header.removesuffix("\n}") + ',\n "files": ['
    separator = "\n  "
    for name, size, digest in entries:
        yield separator + json.dumps({"path": name, "bytes": size, "sha256": digest})
        separator = ",\n  "
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
    for done, image in enumerate(release_contents.slices(release), 1):
        if not image.sha256:
            raise MissingImage(f"{image.path} was never hashed")
        yield f"{file_format.IMAGES}/{image.path}", image.bytes or 0, image.sha256
        if progress is not None:
            progress(done, total)
