"""A published release as one zip file, packed once and then served: length and SHA-256 are known before a download.

Every image is held against the SHA-256 that it was released with while it is packed. PNG files do not get smaller, so
they are stored as they are; packing that was broken off goes on after the last whole file, by a list beside it.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from os import SEEK_END
from pathlib import Path
from typing import BinaryIO, TextIO
from zipfile import ZipFile, ZipInfo

from django.conf import settings
from django.core.files.storage import Storage
from django.db import transaction

from datasets import manifest
from datasets.models import Release
from datasets.services import manifest as manifests
from datasets.services import release_contents
from datasets.services.export import DamagedImage
from datasets.services.fence import Fence
from datasets.services.hashing import MissingImage
from datasets.storage import slice_storage

CHUNK = 1 << 20
MB = 1_000_000

Progress = Callable[[int, int, str], None]
Place = tuple[str, int, int, int, int]
"""Of a packed file: name, bytes, CRC-32, where it begins and ends."""


@dataclass(frozen=True)
class Archive:
    """A packed release."""

    path: Path
    bytes: int
    sha256: str


def path_of(release_name: str) -> Path:
    """Where the archive of a release lies, or would."""
    return Path(settings.DATA_DIR) / "exports" / f"{release_name}.zip"


def find(release_name: str) -> Archive | None:
    """The archive of a release, where it is packed."""
    path = path_of(release_name)
    with suppress(OSError):
        return Archive(path, path.stat().st_size, _sum(path).read_text(encoding="ascii").split()[0])
    return None


def pack(release: Release, *, progress: Progress, fence: Fence = transaction.atomic) -> Archive:
    """Pack a published release, unless it is packed; one process at a time.

    Parameters
    ----------
    progress : called with what is done, how much there is, and what: slices for the manifest, files that are packed,
        MB of the archive that are hashed. What it raises ends the packing, which can go on from there.

    Raises
    ------
    manifest.NotPublished, ManifestDiffers, MissingImage, DamagedImage, OSError : there is no archive.
    """
    known = find(release.name)
    if known is not None:
        return known
    listed = manifests.prepare(
        release_name=release.name, progress=lambda done, total: progress(done, total, "slices"), fence=fence
    )
    path = path_of(release.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = _part(path)
    with part.open("r+b" if part.exists() else "w+b") as file, _places(path).open("a+", encoding="utf-8") as places:
        _fill(release, file, places, lambda done: progress(done, listed.files + 1, "files"))
        digest = _digest(file, lambda done, total: progress(done, total, "MB"))
    with fence():
        _sum(path).write_text(f"{digest}  {path.name}\n", encoding="ascii")
        part.replace(path)
    _places(path).unlink()
    return Archive(path, path.stat().st_size, digest)


def discard(release_name: str) -> None:
    """Remove what packing has left that was broken off."""
    path = path_of(release_name)
    for leftover in (_part(path), _places(path)):
        leftover.unlink(missing_ok=True)


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


def _places(path: Path) -> Path:
    return path.with_name(f".{path.name}.places.part")


def _sum(path: Path) -> Path:
    """In the form that `sha256sum --check` reads."""
    return path.with_name(f"{path.name}.sha256")


def _fill(release: Release, file: BinaryIO, places: TextIO, progress: Callable[[int], None]) -> None:
    """Pack what is not packed yet; the archive's own list comes last."""
    packed = _packed(places, file.seek(0, SEEK_END))
    end = packed[-1][-1] if packed else 0
    file.truncate(end)
    file.seek(end)
    # A new archive after what is there; told of the files that it holds, it lists them as well.
    with ZipFile(file, "w") as archive:
        archive.filelist += [_info(release, *place[:-1]) for place in packed]
        for done, (name, chunks) in enumerate(islice(_contents(release), len(packed), None), start=len(packed) + 1):
            info = _info(release, name)
            with archive.open(info, "w") as content:
                for chunk in chunks:
                    content.write(chunk)
            file.flush()
            place = name, info.file_size, info.CRC, info.header_offset, file.tell()
            places.write(f"{json.dumps(place)}\n")
            places.flush()
            progress(done)


def _packed(places: TextIO, size: int) -> list[Place]:
    """The files that were packed as a whole; the list is cut to them."""
    packed: list[Place] = []
    places.seek(0)
    with suppress(ValueError):
        for line in places.read().splitlines():
            place: Place = tuple(json.loads(line))
            if place[-1] > size:
                break
            packed.append(place)
    places.truncate(0)
    places.writelines(f"{json.dumps(place)}\n" for place in packed)
    return packed


def _info(release: Release, name: str, size: int = 0, crc: int = 0, begin: int = 0) -> ZipInfo:
    """What the archive says of a file; dated as the release, so that it is packed twice alike."""
    when = release.published or release.created
    info = ZipInfo(name, (when.year, when.month, when.day, when.hour, when.minute, when.second))
    info.external_attr = 0o644 << 16
    info.file_size = info.compress_size = size
    info.CRC, info.header_offset = crc, begin
    return info


def _contents(release: Release) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Every file of a release with its content, which is read when its turn comes."""
    yield manifest.TABLE, (line.encode() for line in release_contents.csv_lines(release))
    yield manifest.FILE_NAME, _chunks(manifests.path_of(release))
    listed = manifests.check_listed(release)
    manifests.check_next(release, manifests.table_entry(release), listed)
    storage = slice_storage(release.collection)
    for image in release_contents.slices(release):
        manifests.check_next(release, manifests.image_entry(image), listed)
        yield f"{manifest.IMAGES}/{image.path}", _image(storage, image.path, image.sha256)
    manifests.check_next(release, None, listed)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from iter(lambda: file.read(CHUNK), b"")


def _image(storage: Storage, path: str, sha256: str) -> Iterator[bytes]:
    """An image that is read when it is packed: one that an earlier attempt has packed never is."""
    yield read_image(storage, path, sha256)


def read_image(storage: Storage, path: str, sha256: str) -> bytes:
    """The content of an image that is the one that was released; one that nobody has hashed is taken as it is.

    Raises
    ------
    MissingImage, DamagedImage
    """
    try:
        with storage.open(path) as file:
            content: bytes = file.read()
    except OSError as error:
        raise MissingImage(f"{path} cannot be read: {error.strerror or type(error).__name__}") from error
    if sha256 and hashlib.sha256(content).hexdigest() != sha256:
        raise DamagedImage(f"{path} is damaged: its SHA-256 is not the one that it was released with")
    return content


def _digest(file: BinaryIO, progress: Callable[[int, int], None]) -> str:
    total = file.seek(0, SEEK_END)
    file.seek(0)
    digest, done = hashlib.sha256(), 0
    for chunk in iter(lambda: file.read(CHUNK), b""):
        digest.update(chunk)
        done += len(chunk)
        progress(round(done / MB), max(1, round(total / MB)))
    return digest.hexdigest()
