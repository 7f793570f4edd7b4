"""The series of a release as the part regressor sees them: numbers, mm and small 8-bit pictures.

Only the order of slices is learned from. Locations and types are read too, but serve to hang the finished score on
DeepLesion's scale (`anchor`), never to train.
"""

import csv
import math
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from detection.bodypart.errors import NotARelease, UnreadableSlice
from detection.data.identity import Identity, identify
from detection.data.slices import available, read_hu
from detection.errors import BadRelease, DetectorError

Picture = NDArray[np.uint8]

WINDOW = (-60.0, 275.0)
"""HU shown as 0 and 255. SSBR begins at -175 and shows fat; a network that sees it takes fat people's chests for
abdomens, and nothing in its training tells it better."""
WIDE = (-300.0, 275.0)
"""HU kept of pictures to learn from: noise is to lift fat into the window, as it does in a scan."""
GAIN = (WIDE[1] - WIDE[0]) / (WINDOW[1] - WINDOW[0])
OFFSET = 255 * (WIDE[0] - WINDOW[0]) / (WINDOW[1] - WINDOW[0])
"""A grey of WIDE times GAIN plus OFFSET is that of WINDOW, before it is cut to 0..255."""
SCANNED = (-1024.0, 3071.0)
"""HU that scanners measure. What pads a slice lies far below, and would darken the skin beside it."""
PIECE_BYTES = 1 << 20
AT_ONCE = 64
"""Slices read between two words of how many are."""
TRAIN, VAL, TEST = 1, 2, 3
"""Train_Val_Test."""
GIVEN = frozenset({"published", "phantom"})
"""Who may have placed lesions for their z to be a scale. What an older regressor computed is none: a newer one that is
hung on it would repeat its errors and call them published. One such source and the whole column is left alone: no row
tells its own."""


@dataclass(frozen=True)
class Mark:
    """A lesion's slice: z (0..1) that no regressor computed, and Coarse_lesion_type, where the release has them."""

    slice: int
    z: float | None
    type: int | None


@dataclass(frozen=True)
class Volume:
    """One series folder.

    Attributes
    ----------
    numbers : slice numbers present, ascending, gaps possible.
    files : of each number.
    interval : mm from one number to the next; None where the release does not say.
    split : 1 train, 2 validation, 3 test.
    """

    folder: Path
    patient: int
    split: int
    interval: float | None
    numbers: tuple[int, ...]
    files: dict[int, Path]
    marks: tuple[Mark, ...]

    @property
    def name(self) -> str:
        return self.folder.name

    def path(self, number: int) -> Path:
        return self.files[number]

    def millimetres(self) -> NDArray[np.float64]:
        """Position of each slice along the series from slice 0, growing towards the feet; without interval 1 mm."""
        return np.array(self.numbers, dtype=np.float64) * (self.interval or 1.0)


def identity_of(release: Path) -> Identity:
    """Name and hash of a release.

    Raises
    ------
    NotARelease : it is none, or one of another version.
    """
    try:
        return identify(release)
    except BadRelease as error:
        raise NotARelease(str(error)) from error


def volumes(release: Path) -> list[Volume]:
    """List the series of a release, sorted by name.

    Raises
    ------
    NotARelease : it is none, or one of another version; its table has another format; no series folder is on disk.
    """
    sources = identity_of(release).location_sources
    given = bool(sources) and GIVEN.issuperset(sources)
    grouped: dict[str, list[dict[str, str]]] = {}
    try:
        with (release / "DL_info.csv").open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                grouped.setdefault(row["File_name"].strip().rsplit("_", 1)[0], []).append(row)
        found = [_volume(release / "Images_png" / name, rows, given) for name, rows in sorted(grouped.items())]
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, ValueError, AttributeError) as error:
        raise NotARelease(f"{release.name} has no DL_info.csv in DeepLesion's format") from error
    found = [volume for volume in found if volume.numbers]
    if not found:
        raise NotARelease(f"{release.name} has no slices below Images_png")
    return found


def _volume(folder: Path, rows: list[dict[str, str]], given: bool) -> Volume:
    files = available(folder)
    intervals = [abs(float(row["Spacing_mm_px_"].split(",")[2])) for row in rows]
    usable = [value for value in intervals if math.isfinite(value) and value > 0]
    return Volume(
        folder=folder,
        patient=int(rows[0]["Patient_index"]),
        split=int(rows[0]["Train_Val_Test"]),
        interval=usable[0] if usable else None,
        numbers=tuple(sorted(files)),
        files=files,
        marks=tuple(_mark(row, given) for row in rows),
    )


def _mark(row: dict[str, str], given: bool) -> Mark:
    z = float((row["Normalized_lesion_location"] or "nan").split(",")[-1])
    kind = int(row["Coarse_lesion_type"])
    return Mark(int(row["Key_slice_index"]), z if given and math.isfinite(z) else None, kind if kind > 0 else None)


def picture(hu: NDArray[np.generic], size: int, window: tuple[float, float] = WINDOW) -> Picture:
    """Shrink a slice to `size` x `size`, each pixel the mean HU of what it covers, then window it.

    The other way round noise would not average out: what the window cuts off at its lower end makes dark parts bright.

    Parameters
    ----------
    hu : (rows, columns), any size.
    window : HU shown as 0 and 255.
    """
    low, high = window
    real = np.asarray(hu, dtype=np.float32).clip(*SCANNED)
    mean = np.asarray(Image.fromarray(real).resize((size, size), Image.Resampling.BOX))
    return np.rint(((mean - low) * (255 / (high - low))).clip(0, 255)).astype(np.uint8)


def read_picture(path: Path, size: int, window: tuple[float, float] = WINDOW) -> Picture:
    """Decode one slice to what the network sees, or to what another window shows.

    Raises
    ------
    UnreadableSlice : missing, damaged, or no 16-bit PNG.
    """
    try:
        return picture(read_hu(path), size, window)
    except DetectorError as error:
        raise UnreadableSlice(f"slice {error}") from error


class Pictures:
    """The pictures of many series, decoded once each when first asked for and kept as 8-bit greys, which show WIDE.

    In a file, as those of all series of DeepLesion take more memory than many computers have. It has no name, so that
    it goes with the process, however that ends.
    """

    def __init__(self, series: Sequence[Volume], size: int, threads: int, folder: Path) -> None:
        """Begin with none.

        Parameters
        ----------
        threads : for decoding; folder : on the disk that holds the file.

        Raises
        ------
        OSError : there is no room for all of them.
        """
        self._volumes = series
        self._size = size
        ends = np.cumsum([len(volume.numbers) for volume in series])
        self._starts = np.concatenate([[0], ends[:-1]]).astype(np.int64)
        shape = (int(ends[-1]), size, size)
        with tempfile.TemporaryFile(dir=folder) as file:
            # Its place is taken now: a process that writes to a mapped page without one is killed. And by zeros: space
            # that is only reserved is broken up page by page, and then the kernel takes seconds to end the process.
            left = math.prod(shape)
            while left:
                left -= file.write(bytes(min(left, PIECE_BYTES)))
            file.flush()
            self._greys = np.memmap(file, dtype=np.uint8, mode="r+", shape=shape)
        self._known = np.zeros(len(self._greys), dtype=bool)
        self._pool = ThreadPoolExecutor(threads)

    def get(self, wanted: Sequence[tuple[int, int]]) -> Picture:
        """Return pictures, (N, size, size), by index of the series and index of the slice in it."""
        places = np.array([self._starts[series] + at for series, at in wanted], dtype=np.int64)
        missing = {
            int(place): self._volumes[series].path(self._volumes[series].numbers[at])
            for place, (series, at) in zip(places, wanted, strict=True)
            if not self._known[place]
        }
        for place, grey in zip(missing, self._pool.map(self._read, missing.values()), strict=True):
            self._greys[place] = grey
            self._known[place] = True
        return self._greys[places]

    def __len__(self) -> int:
        return len(self._greys)

    def read(self, progress: Callable[[int, int], None]) -> None:
        """Decode all of them, and tell how many are and in all."""
        every = [(series, at) for series, each in enumerate(self._volumes) for at in range(len(each.numbers))]
        for begin in range(0, len(every), AT_ONCE):
            self.get(every[begin : begin + AT_ONCE])
            progress(min(begin + AT_ONCE, len(every)), len(every))

    def whole(self, series: int) -> Picture:
        """Return all pictures of one series as the network sees them."""
        greys = self.get([(series, at) for at in range(len(self._volumes[series].numbers))])
        return np.rint((greys * np.float32(GAIN) + np.float32(OFFSET)).clip(0, 255)).astype(np.uint8)

    def _read(self, path: Path) -> Picture:
        return read_picture(path, self._size, WIDE)

    def close(self) -> None:
        """End the decoding threads."""
        self._pool.shutdown()
