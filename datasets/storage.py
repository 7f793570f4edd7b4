"""Where slices lie: our own storage, or the folder of a dataset that stays where it is."""

import os
import tempfile
from pathlib import Path

from django.conf import settings
from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, Storage

from datasets.models import Collection


class AtomicFileStorage(FileSystemStorage):
    """A file is whole or absent: written beside its place, then renamed over it."""

    def _save(self, name: str, content: File) -> str:
        target = Path(self.path(name))
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=".part")
        try:
            with os.fdopen(descriptor, "wb") as file:
                for chunk in content.chunks():
                    file.write(chunk)
            os.chmod(temporary, 0o640)
            os.replace(temporary, target)
        except OSError as error:
            os.unlink(temporary)
            if error.errno is None:
                raise
            # A write that fails does not say where.
            raise OSError(error.errno, error.strerror, str(target)) from error
        except BaseException:
            os.unlink(temporary)
            raise
        return name

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        return name


def slice_storage(collection: Collection) -> Storage:
    """The storage whose names are `{patient}_{study}_{series}/{slice}.png`, as `Slice.path` gives them."""
    kind = FileSystemStorage if collection.image_folder else AtomicFileStorage
    return kind(location=slice_root(collection))


def remove_leftovers(storage: Storage, folder: str) -> None:
    """Remove the half-written files of a process that was killed while it wrote into a folder."""
    for path in Path(storage.path(folder)).glob(".*.part"):
        path.unlink(missing_ok=True)


def slice_root(collection: Collection) -> Path:
    """The folder below which the slices lie by their `Slice.path`."""
    return Path(collection.image_folder or settings.DATA_DIR / "slices" / collection.slug)


def release_folder(name: str) -> Path:
    """Where a release keeps its manifest.json."""
    return Path(settings.DATA_DIR) / "releases" / name
