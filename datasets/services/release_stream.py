"""A published release as a zip that is streamed: held against its manifest, with nothing kept in memory or on disk.

What was sent cannot be taken back. So all that can be is checked before the first byte; an image that is not the one
that was released ends the stream before the zip's own list, so that what arrived opens as no archive, and is written
down, so that whoever asks next is told its name.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from django.core.files.storage import Storage
from zipstream import ZIP_STORED, ZipStream

from datasets import manifest
from datasets.models import Release
from datasets.services import manifest as manifests
from datasets.services import release_contents
from datasets.services.archive import read_image
from datasets.services.hashing import MissingImage
from datasets.storage import release_folder, slice_storage
from datasets.storage_errors import StorageFailed

DAMAGE = ".damaged.json"
"""Beside the manifest: the image that ended the last download, and the SHA-256 that it should have."""


def pack(release: Release, split: int | None = None) -> ZipStream:
    """The table, the manifest and the images of a release as a stream of bytes, of one split where `split` says so.

    PNG files do not get smaller, so they are stored as they are. The manifest names every file of the release, so it
    comes with all of them or not at all.

    Raises
    ------
    ManifestDiffers : the release holds other files than its manifest says.
    MissingImage, DamagedImage : an image ended an earlier download, and is not mended yet; while the stream is read,
        one that is missing or not the one that was released.
    """
    known_damage(release)
    whole = split is None
    entries = _listed(release)
    stream = ZipStream(compress_type=ZIP_STORED)
    if entries is not None:
        manifests.check_next(release, manifests.table_entry(release), entries)
    stream.add((line.encode() for line in release_contents.csv_lines(release)), manifest.TABLE)
    if entries is not None and whole:
        stream.add_path(str(manifests.path_of(release)), manifest.FILE_NAME)
    storage = slice_storage(release.collection)
    for image in release_contents.slices(release, split):
        if entries is not None and whole:
            manifests.check_next(release, manifests.image_entry(image), entries)
        stream.add(_content(release, storage, image.path, image.sha256), f"{manifest.IMAGES}/{image.path}")
    if entries is not None and whole:
        manifests.check_next(release, None, entries)
    return stream


def known_damage(release: Release) -> None:
    """Look again at the image that ended the last download; once it is mended, it is forgotten.

    Raises
    ------
    MissingImage, DamagedImage : it is as it was.
    """
    path = _damage(release)
    try:
        image = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return
    read_image(slice_storage(release.collection), image["path"], image["sha256"])
    path.unlink(missing_ok=True)


def _listed(release: Release) -> Iterator[manifests.Entry] | None:
    """What the manifest lists; None before it is made."""
    if hasattr(release, "manifest") and manifests.path_of(release).is_file():
        return manifests.check_listed(release)
    return None


def _content(release: Release, storage: Storage, path: str, sha256: str) -> Iterator[bytes]:
    """Open an image when its turn comes, not before: a release has more files than a process may hold open."""
    try:
        yield read_image(storage, path, sha256)
    except MissingImage as error:
        if not isinstance(error.__cause__, StorageFailed):
            _note(release, path, sha256)
        raise


def _note(release: Release, path: str, sha256: str) -> None:
    place = _damage(release)
    with suppress(OSError):  # the download has failed either way
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps({"path": path, "sha256": sha256}), encoding="utf-8")


def _damage(release: Release) -> Path:
    return release_folder(release.name) / DAMAGE
