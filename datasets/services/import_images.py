"""The images that come with a published dataset: which are there, which are damaged, what the key slices show.

Looked at before anything is written to the database, since decoding takes minutes and a transaction should not.
"""

import os
import re
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Protocol

from django.core.files.base import File
from django.core.files.storage import Storage

from datasets import dl_info, png
from datasets.geometry import hu, region
from datasets.pacs.pixels import pixel_hash
from datasets.services.errors import Refused
from datasets.storage import remove_leftovers

Box = tuple[float, ...]
Progress = Callable[[int, int], None]

LOOK_UP_EVERY_S = 0.5
"""How often whoever waits for a large series is asked whether it shall go on."""

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


class Seen(Protocol):
    """Remembers series that were looked at; see `import_journal`."""

    def find(self, name: str, wanted: dict[int, Wanted]) -> SeriesFolder | None:
        """The series of a name, where all that is wanted of it was seen and nothing was wrong with it."""

    def add(self, name: str, folder: SeriesFolder) -> None:
        """Remember a series."""


class NothingSeen:
    """Remembers nothing."""

    def find(self, name: str, wanted: dict[int, Wanted]) -> SeriesFolder | None:
        return None

    def add(self, name: str, folder: SeriesFolder) -> None:
        return


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
    seen: Seen,
) -> dict[str, SeriesFolder]:
    """Look through the folders of all series that have rows.

    Parameters
    ----------
    images : Images_png of the dataset.
    measured : boxes per folder and slice that need no second look.
    storage : where to copy the files; None where they stay.
    progress : called for every series and twice a second; what it raises ends the survey.
    seen : what an earlier survey has looked at, and where to remember what this one does.

    Raises
    ------
    OSError : the disk is full or cannot be written.
    """

    ended = Event()

    def look(name: str, slices: dict[int, Wanted]) -> SeriesFolder:
        folder = _list(images / name)
        for number, what in sorted(slices.items()):
            if ended.is_set() or what.boxes <= measured.get((name, number), set()):
                continue
            try:
                folder.key_images[number] = _measure(images / name / dl_info.slice_name(number), what)
            except png.BadImage as reason:
                folder.problems.append(f"{name}/{dl_info.slice_name(number)}: {reason}")
                _discard(folder, number)
        if storage is not None:
            # Of an attempt that was killed in the middle of a file.
            remove_leftovers(storage, name)
            for number, size in zip(folder.numbers, folder.sizes, strict=True):
                if not ended.is_set():
                    _copy(images, storage, f"{name}/{dl_info.slice_name(number)}", size)
        return folder

    found = {name: folder for name, slices in wanted.items() if (folder := seen.find(name, slices)) is not None}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            looks = {name: pool.submit(look, name, slices) for name, slices in wanted.items() if name not in found}
            for name, look_at in looks.items():
                while not wait((look_at,), LOOK_UP_EVERY_S).done:
                    progress(len(found), len(wanted))
                found[name] = look_at.result()
                seen.add(name, found[name])
                progress(len(found), len(wanted))
            return {name: found[name] for name in wanted}
        except BaseException:
            ended.set()
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
    with suppress(FileNotFoundError):
        if storage.size(name) == size:
            return
    with (images / name).open("rb") as file:
        storage.save(name, File(file))
