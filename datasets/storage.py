"""Where slices lie: our own storage (a folder, or a bucket of an S3 server), or the folder of a dataset that stays
where it is.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, Storage
from django.utils.module_loading import import_string

from datasets.models import Collection

if TYPE_CHECKING:
    from datasets.object_storage import ObjectStorage

_PIECE_BYTES = 2**20
"""Written at once: more than most slices have."""

_RIGHTS = 0o640
"""Of a file, whatever the process's umask."""


class AtomicFileStorage(FileSystemStorage):
    """A file is whole or absent: written beside its place, then renamed over it."""

    def _save(self, name: str, content: File) -> str:
        target = self.path(name)
        folder = os.path.dirname(target)
        temporary = os.path.join(folder, f".{secrets.token_hex(8)}.part")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        try:
            descriptor = os.open(temporary, flags, _RIGHTS)
        except FileNotFoundError:
            # With the first of its files alone: threads that encode wait for each other at every call to the system.
            os.makedirs(folder, exist_ok=True)
            descriptor = os.open(temporary, flags, _RIGHTS)
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, _RIGHTS)
                for chunk in content.chunks(_PIECE_BYTES):
                    file.write(chunk)
            os.replace(temporary, target)
        except OSError as error:
            os.unlink(temporary)
            if error.errno is None:
                raise
            # A write that fails does not say where.
            raise OSError(error.errno, error.strerror, target) from error
        except BaseException:
            os.unlink(temporary)
            raise
        return name

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        return name


def slice_storage(collection: Collection) -> Storage:
    """The storage whose names are `{patient}_{study}_{series}/{slice}.png`, as `Slice.path` gives them."""
    if collection.image_folder:
        return FileSystemStorage(location=collection.image_folder)
    return bucket(collection.slug) or AtomicFileStorage(location=slice_root(collection))


def bucket(slug: str = "") -> "ObjectStorage | None":
    """The part of the bucket that holds the slices of a collection, or of all; None where slices are files.

    What speaks to a bucket is imported where there is one alone.
    """
    if settings.S3 is None:
        return None
    return import_string("datasets.object_storage.slices")(slug, **settings.S3)


def local_path(storage: Storage, name: str) -> Path | None:
    """Where a file lies on this machine; None in a bucket."""
    return Path(storage.path(name)) if isinstance(storage, FileSystemStorage) else None


def place_of(storage: Storage, name: str) -> str:
    """Where a file lies, in words."""
    path = local_path(storage, name)
    return cast("ObjectStorage", storage).key(name) if path is None else str(path)


def remove_leftovers(storage: Storage, folder: str) -> None:
    """Remove the half-written files of a process that was killed while it wrote into a folder.

    A bucket has none: an object is there once all of it has arrived.
    """
    path = local_path(storage, folder)
    for leftover in path.glob(".*.part") if path else ():
        leftover.unlink(missing_ok=True)


class Found(NamedTuple):
    """A file in a storage: its name, and when it was written in seconds since 1970."""

    name: str
    written: float


def found(storage: Storage) -> Iterator[Found]:
    """All files, in the order of their names; half-written ones are left out."""
    root = local_path(storage, "")
    if root is None:
        yield from (Found(each.name, each.time / 1e9) for each in cast("ObjectStorage", storage).entries())
        return
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        for path in sorted(folder.rglob("*")) if folder.is_dir() and not folder.is_symlink() else [folder]:
            if path.is_file() and not path.is_symlink() and path.suffix != ".part":
                with suppress(FileNotFoundError):
                    yield Found(path.relative_to(root).as_posix(), path.stat().st_mtime)


def slice_root(collection: Collection) -> Path:
    """The folder below which the slices lie by their `Slice.path`, where they are files."""
    return Path(collection.image_folder or settings.DATA_DIR / "slices" / collection.slug)


def release_folder(name: str) -> Path:
    """Where a release keeps its manifest.json."""
    return Path(settings.DATA_DIR) / "releases" / name
