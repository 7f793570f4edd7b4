"""DL_info.csv as the detector needs it: boxes, sizes, split. The file is 1-based, a `Lesion` 0-based."""

import csv
import math
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from detection.errors import BadTable

SPLITS = {"train": 1, "val": 2, "test": 3}
"""Train_Val_Test."""

TYPES = {
    1: "bone",
    2: "abdomen",
    3: "mediastinum",
    4: "liver",
    5: "lung",
    6: "kidney",
    7: "soft tissue",
    8: "pelvis",
    -1: "unknown",
}
"""Coarse_lesion_type."""

COLUMNS = (
    "File_name",
    "Patient_index",
    "Key_slice_index",
    "Bounding_boxes",
    "Lesion_diameters_Pixel_",
    "Coarse_lesion_type",
    "Possibly_noisy",
    "Spacing_mm_px_",
    "Image_size",
    "Train_Val_Test",
)

T = TypeVar("T")
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Lesion:
    """One row."""

    file_name: str
    patient: int
    slice: int
    box: Box
    """x1, y1, x2, y2, 0-based, pixel centres at integers."""
    diameter_mm: float
    """Mean of the long and the short diameter, the size in Fig. 10."""
    type: int
    noisy: bool
    spacing: float
    """mm per pixel."""
    interval: float
    """mm between slices; 0 where unknown."""
    image_size: tuple[int, int]
    """Columns, rows."""
    split: int

    @property
    def folder(self) -> str:
        """Name of the series' folder below Images_png."""
        return self.file_name.rpartition("_")[0]


def read_lesions(path: Path) -> list[Lesion]:
    """Read every row of a DL_info.csv, in its order; columns may come in any order and among others.

    Raises
    ------
    BadTable : no such file, a column is missing, or a cell cannot be read (which line and column is said).
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise BadTable(f"{path.name} is not a DL_info.csv: it has no column {', '.join(missing)}")
            return [_lesion(path, reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a text file with commas"
        raise BadTable(f"{path.name} cannot be read: {reason}") from error


def select(lesions: Sequence[Lesion], split: str, *, noisy: bool = False) -> list[Lesion]:
    """Keep the rows of one split (train, val, test or all), without noisy ones unless asked for."""
    wanted = set(SPLITS.values()) if split == "all" else {SPLITS[split]}
    return [lesion for lesion in lesions if lesion.split in wanted and (noisy or not lesion.noisy)]


def _lesion(path: Path, line: int, row: dict[str, str]) -> Lesion:
    def read(column: str, convert: Callable[[str], T]) -> T:
        try:
            return convert(row[column])
        except (TypeError, ValueError, AttributeError) as error:
            raise BadTable(f"{path.name} line {line}: {column} cannot be read; correct the cell") from error

    name, number = read("File_name", _file_name), read("Key_slice_index", int)
    if number != int(name.rpartition("_")[2].removesuffix(".png")):
        raise BadTable(f"{path.name} line {line}: File_name and Key_slice_index name different slices; correct one")
    x1, y1, x2, y2 = read("Bounding_boxes", lambda text: _numbers(text, 4))
    if not (x2 > x1 and y2 > y1):
        raise BadTable(f"{path.name} line {line}: the box in Bounding_boxes has no extent; correct or remove the line")
    columns, rows = read("Image_size", lambda text: _numbers(text, 2))
    if x2 < 1 or y2 < 1 or x1 > columns or y1 > rows:
        raise BadTable(f"{path.name} line {line}: the box lies outside its image; correct or remove the line")
    long, short = read("Lesion_diameters_Pixel_", lambda text: _numbers(text, 2))
    spacing, interval = read("Spacing_mm_px_", _spacing)
    return Lesion(
        file_name=name,
        patient=read("Patient_index", int),
        slice=number,
        box=(x1 - 1, y1 - 1, x2 - 1, y2 - 1),
        diameter_mm=(long + short) / 2 * spacing,
        type=read("Coarse_lesion_type", partial(_one_of, TYPES)),
        noisy=read("Possibly_noisy", int) == 1,
        spacing=spacing,
        interval=interval,
        image_size=(int(columns), int(rows)),
        split=read("Train_Val_Test", partial(_one_of, SPLITS.values())),
    )


def _one_of(known: Collection[int], text: str) -> int:
    value = int(text)
    if value not in known:
        raise ValueError(text)
    return value


def _file_name(text: str) -> str:
    """A series' folder and a slice's number, as in 000001_01_01_109.png; nothing outside the folder of images."""
    if not re.fullmatch(r"[^/\\]+_[0-9]{3,}\.png", text.strip()):
        raise ValueError(text)
    return text.strip()


def _spacing(text: str) -> tuple[float, float]:
    """Mm per pixel, and between slices (0 where unknown, or negative): what nobody measured is only the interval."""
    x, y, interval = _numbers(text, 3, finite=2)
    if min(x, y) <= 0:
        raise ValueError(text)
    return x, max(interval, 0.0) if math.isfinite(interval) else 0.0


def _numbers(text: str, count: int, *, finite: int | None = None) -> list[float]:
    """So many numbers, of which the first `finite`, or all, are finite."""
    values = [float(part) for part in text.split(",")]
    if len(values) != count or not all(map(math.isfinite, values[:finite])):
        raise ValueError(text)
    return values
