"""The images that come with a published dataset: which are there, which are damaged, what the key slices show.

Looked at before anything is written to the database, since decoding takes minutes and a transaction should not.
"""

import os
import re
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from django.core.files.base import File
from django.core.files.storage import Storage

from datasets import dl_info, png
from datasets.geometry import hu, region
from datasets.pacs.pixels import pixel_hash
from datasets.services.errors import Refused

Box = tuple[float, ...]
Progress = Callable[[int, int], None]

_SLICE_NAME = re.compile(r"(\d{3,})\.png\Z")


class NoImages(Refused):
    """The folder with the images is not one."""


@dataclass(slots=True)
class Wanted:
    """What the rows say of one key slice."""

    size: tuple[int, int]
    """Columns, rows."""
    boxes: set[Box] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class KeyImage:
    """What one key slice shows."""

    pixel_hash: str
    statistics: dict[Box, region.Statistics | None]


@dataclass(slots=True)
class SeriesFolder:
    """The usable images of one series."""

    numbers: array = field(default_factory=lambda: array("I"))
    """In their order; arrays, as a download has 900,000 of them."""
    sizes: array = field(default_factory=lambda: array("I"))
    key_images: dict[int, KeyImage] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def size_of(self, number: int) -> int | None:
        """Bytes of a slice's file; None where there is none that can be used."""
        place = self.place_of(number)
        return None if place is None else self.sizes[place]

    def place_of(self, number: int) -> int | None:
        """Where a slice stands in `numbers`."""
        place = bisect_left(self.numbers, number)
        return place if self.numbers[place : place + 1] == array("I", [number]) else None


WantedSlices = dict[str, dict[int, Wanted]]
"""Per folder and key slice."""


def wanted_of(rows: Iterable[dl_info.Row]) -> WantedSlices:
    """Gather what has to be looked at for some rows."""
    wanted: WantedSlices = {}
    for row in rows:
        wanted.setdefault(row.folder, {}).setdefault(row.slice, Wanted(row.image_size)).boxes.add(row.box)
    return wanted


def check_folder(images: Path) -> None:
    """Refuse what is no folder.

    Raises
    ------
    NoImages
    """
    if not images.is_dir():
        raise NoImages(f"{images} is not a folder with images")


def survey(
    images: Path,
    wanted: WantedSlices,
    measured: dict[tuple[str, int], set[Box]],
    storage: Storage | None,
    progress: Progress,
) -> dict[str, SeriesFolder]:
    """Look through the folders of all series that have rows.

    Parameters
    ----------
    images : Images_png of the dataset.
    measured : boxes per folder and slice that need no second look.
    storage : where to copy the files; None where they stay.

    Raises
    ------
    OSError : the disk is full or cannot be written.
    """

    def look(item: tuple[str, dict[int, Wanted]]) -> SeriesFolder:
        name, slices = item
        folder = _list(images / name)
        for number, what in sorted(slices.items()):
            if what.boxes <= measured.get((name, number), set()):
                continue
            try:
                folder.key_images[number] = _measure(images / name / dl_info.slice_name(number), what)
            except png.BadImage as reason:
                folder.problems.append(f"{name}/{dl_info.slice_name(number)}: {reason}")
                _discard(folder, number)
        if storage is not None:
            for number, size in zip(folder.numbers, folder.sizes, strict=True):
                _copy(images, storage, f"{name}/{dl_info.slice_name(number)}", size)
        return folder

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            found = {}
            for (name, _), folder in zip(wanted.items(), pool.map(look, wanted.items()), strict=True):
                found[name] = folder
                progress(len(found), len(wanted))
            return found
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _list(path: Path) -> SeriesFolder:
    folder = SeriesFolder()
    try:
        for number, size in sorted(_slices(path)):
            folder.numbers.append(number)
            folder.sizes.append(size)
    except FileNotFoundError:
        pass  # each of its key slices is reported as missing
    except OSError as error:
        folder.problems.append(f"{path.name}: {error.strerror}")
    return folder


def _slices(path: Path) -> Iterator[tuple[int, int]]:
    with os.scandir(path) as entries:
        for entry in entries:
            match = _SLICE_NAME.match(entry.name)
            if match and entry.is_file() and int(match[1]) > 0 and dl_info.slice_name(int(match[1])) == entry.name:
                yield int(match[1]), entry.stat().st_size


def _discard(folder: SeriesFolder, number: int) -> None:
    place = folder.place_of(number)
    if place is not None:
        del folder.numbers[place], folder.sizes[place]


def _measure(path: Path, wanted: Wanted) -> KeyImage:
    pixels = png.read(path)
    rows, columns = pixels.shape
    if (columns, rows) != wanted.size:
        size = "x".join(map(str, wanted.size))
        raise png.BadImage(f"{columns}x{rows} pixels where Image_size says {size}")
    values = hu.from_png(pixels)
    return KeyImage(pixel_hash(pixels), {box: region.statistics(values, box) for box in wanted.boxes})


def _copy(images: Path, storage: Storage, name: str, size: int) -> None:
    if storage.exists(name) and storage.size(name) == size:
        return
    with (images / name).open("rb") as file:
        storage.save(name, File(file))
