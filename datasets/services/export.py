"""A published release as a folder in DeepLesion's own layout."""

import errno
import fcntl
import filecmp
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from django.core.files.storage import Storage

from datasets import manifest
from datasets.models import Release, Slice
from datasets.services import manifest as manifests
from datasets.services.errors import Refused
from datasets.services.hashing import MissingImage
from datasets.services.manifest import Entry, NotPublished, Progress
from datasets.services.release_contents import csv_lines, slices
from datasets.storage import local_path, place_of, slice_storage
from datasets.storage_errors import StorageFailed

NO_KERNEL_COPY = (errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EPERM)
"""What the kernel says where it cannot copy by itself: between some file systems, or on an old one."""


class ExportRefused(Refused):
    """The folder cannot be written to; nothing was."""


class DamagedImage(MissingImage):
    """An image in the store is not the one that was released."""


def export(
    release: Release, out: Path, *, images: bool = True, link: bool = False, progress: Progress | None = None
) -> None:
    """Write DL_info.csv, Images_png and manifest.json; the folder appears when it is complete.

    Images are copies, each held against its SHA-256, and all files against the manifest, so that none is missing or
    too many: whoever edits an exported file edits that alone. An export that
    was killed goes on where it was, in a hidden folder beside `out`; what fails in any other way leaves nothing.

    Parameters
    ----------
    out : a folder that does not exist or is empty.
    images : False leaves Images_png out, of the manifest as well.
    link : for a reader of our own that changes nothing: hard links where the file system allows, still held against
        their SHA-256.
    progress : called with the slices done and their number, first for a manifest that is not there yet, with 0 of 0
        while another process writes that; what it raises ends this.

    Raises
    ------
    Refused : `out` is as it was.
    OSError : the disk is full or cannot be written; `out` is as it was.
    """
    out = out.absolute()
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise ExportRefused(f"{out} is there already and not an empty folder")
    above = next(folder for folder in out.parents if folder.exists())
    if not above.is_dir():
        raise ExportRefused(f"{above} is not a folder")
    if release.state != Release.State.PUBLISHED:
        raise NotPublished(f"{release.name} is not a published release")
    if images:
        manifests.prepare(release_name=release.name, progress=progress)
    out.parent.mkdir(parents=True, exist_ok=True)
    with _part(out) as part:
        listed = part / manifest.FILE_NAME
        if images:
            entries = manifests.check_listed(release)
            _begin(part, manifests.path_of(release))
        else:
            _clear(part)
            table = manifests.table_entry(release)
            manifests.write(release, listed, [table])
            entries = iter([table])
        manifests.check_next(release, _write_table(release, part / manifest.TABLE), entries)
        if images:
            _write_images(release, part / manifest.IMAGES, link, entries, progress)
        manifests.check_next(release, None, entries)
        part.replace(out)


@contextmanager
def _part(out: Path) -> Iterator[Path]:
    """Give the folder that becomes `out`, for this process alone; one that a killed export left is taken up.

    Raises
    ------
    ExportRefused : another process exports to the same place.
    """
    part = out.with_name(f".{out.name}.part")
    part.mkdir(mode=0o755, exist_ok=True)
    lock = os.open(part, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ExportRefused(f"another export to {out} is under way") from None
        try:
            yield part
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
    finally:
        os.close(lock)


def _begin(part: Path, listed: Path) -> None:
    """Put the manifest in place first: by it, what a killed export of the same release left is known and kept."""
    own = part / manifest.FILE_NAME
    if own.is_file() and filecmp.cmp(own, listed, shallow=False):
        return
    _clear(part)
    with listed.open("rb") as original, _writing(own), own.open("wb") as copy:
        shutil.copyfileobj(original, copy)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """What the disk says while a file is written names the file."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _clear(part: Path) -> None:
    for path in part.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _write_table(release: Release, path: Path) -> Entry:
    with _writing(path), path.open("w+b") as file:
        file.writelines(line.encode() for line in csv_lines(release))
        size = file.tell()
        file.seek(0)
        return manifest.TABLE, size, hashlib.file_digest(file, "sha256").hexdigest()


def _write_images(
    release: Release, folder: Path, link: bool, listed: Iterator[Entry], progress: Progress | None
) -> None:
    folder.mkdir(exist_ok=True)
    total = sum(counted["slices"] for counted in release.counts.values())
    storage = slice_storage(release.collection)
    for done, image in enumerate(slices(release), 1):
        manifests.check_next(release, manifests.image_entry(image), listed)
        target = folder / image.path
        target.parent.mkdir(exist_ok=True)
        if not _is_there(target, image, link):
            _place(storage, target, image, link)
        if progress is not None:
            progress(done, total)


def _is_there(target: Path, image: Slice, link: bool) -> bool:
    """Tell whether a killed export had got as far as this image; a link into the store is no copy."""
    try:
        with target.open("rb") as file:
            if not link and os.fstat(file.fileno()).st_nlink > 1:
                return False
            return hashlib.file_digest(file, "sha256").hexdigest() == image.sha256
    except FileNotFoundError:
        return False


def _place(storage: Storage, target: Path, image: Slice, link: bool) -> None:
    """Copy or link an image that is the one that was released.

    Raises
    ------
    MissingImage, DamagedImage : the store's file is to blame; the message names it.
    StorageFailed : the bucket cannot be used.
    """
    source, local = place_of(storage, image.path), local_path(storage, image.path)
    try:
        with storage.open(image.path) as original:
            if hashlib.file_digest(original, "sha256").hexdigest() != image.sha256:
                raise DamagedImage(
                    f"{source} is damaged: its SHA-256 is not the one that {image.path} was released with"
                )
            # What a killed export left may be a link into the store: never write through it.
            target.unlink(missing_ok=True)
            if link and local is not None and _linked(local, target):
                return
            with target.open("wb") as copy:
                if local is not None:
                    _fill(cast(BinaryIO, original), copy, os.fstat(original.fileno()).st_size)
                else:
                    original.seek(0)
                    shutil.copyfileobj(original, copy)
    except StorageFailed:
        raise
    except OSError as error:
        if error.filename == source:
            raise MissingImage(f"{source} cannot be read: {error.strerror}") from error
        raise OSError(error.errno, error.strerror, str(target)) from error


def _linked(source: Path, target: Path) -> bool:
    """Link, where the file system allows it."""
    try:
        target.hardlink_to(source)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP):
            raise
        return False
    return True


def _fill(original: BinaryIO, copy: BinaryIO, size: int) -> None:
    """Let the kernel copy, which shares the blocks where the file system can (Btrfs, XFS); else read and write."""
    offset = 0
    try:
        while offset < size:
            copied = os.copy_file_range(original.fileno(), copy.fileno(), size - offset, offset, offset)
            if not copied:
                break
            offset += copied
    except OSError as error:
        if offset or error.errno not in NO_KERNEL_COPY:
            raise
    if offset < size:
        original.seek(offset)
        copy.seek(offset)
        shutil.copyfileobj(original, copy)
