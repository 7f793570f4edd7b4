"""A published release as a folder in DeepLesion's own layout."""

import os
import shutil
import tempfile
from pathlib import Path

from datasets import manifest
from datasets.models import Release, Slice
from datasets.services import manifest as manifests
from datasets.services.errors import Refused
from datasets.services.manifest import MissingImage, NotPublished, Progress
from datasets.services.release_contents import csv_lines, slices
from datasets.storage import slice_root


class ExportRefused(Refused):
    """The folder cannot be written to; nothing was."""


def export(release: Release, out: Path, *, images: bool = True, progress: Progress | None = None) -> None:
    """Write DL_info.csv, Images_png and manifest.json; the folder appears when it is complete.

    Images are hard links where the file system allows, copies elsewhere.

    Parameters
    ----------
    out : a folder that does not exist or is empty.
    images : False leaves Images_png out, of the manifest as well.
    progress : called with the slices done and their number; hashing them, where that is needed, counts separately.

    Raises
    ------
    Refused : `out` is as it was.
    OSError : the disk is full or cannot be written; `out` is as it was.
    """
    out = out.absolute()
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise ExportRefused(f"{out} is there already and not an empty folder")
    if release.state != Release.State.PUBLISHED:
        raise NotPublished(f"{release.name} is not a published release")
    if images:
        manifests.prepare(release_name=release.name, progress=progress)
    out.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}.", suffix=".part"))
    try:
        part.chmod(0o755)
        with (part / manifest.TABLE).open("w", encoding="utf-8", newline="") as file:
            file.writelines(csv_lines(release))
        if images:
            _write_images(release, part / manifest.IMAGES, progress)
            shutil.copyfile(manifests.path_of(release), part / manifest.FILE_NAME)
        else:
            table = manifests.table_entry(release)
            manifests.write(release, part / manifest.FILE_NAME, [table])
        part.replace(out)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _write_images(release: Release, folder: Path, progress: Progress | None) -> None:
    folder.mkdir()
    total = sum(counted["slices"] for counted in release.counts.values())
    root = slice_root(release.collection)
    for done, image in enumerate(slices(release), 1):
        target = folder / image.path
        target.parent.mkdir(exist_ok=True)
        _place(root / image.path, target, image)
        if progress is not None:
            progress(done, total)


def _place(source: Path, target: Path, image: Slice) -> None:
    try:
        size = source.stat().st_size
    except OSError as error:
        raise MissingImage(f"{image.path} cannot be read: {error.strerror}") from error
    if size != image.bytes:
        raise MissingImage(f"{image.path} has changed since it was released")
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
