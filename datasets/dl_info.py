"""DL_info.csv: the 18 columns of the published DeepLesion, read and written one row at a time.

No Django, so that the importer, the exporter, the phantom and the detector share one understanding of the format.
The file's coordinates are 1-based (MATLAB); a `Row` holds them 0-based.
"""

import csv
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from datasets.geometry import recist

COLUMNS = (
    "File_name",
    "Patient_index",
    "Study_index",
    "Series_ID",
    "Key_slice_index",
    "Measurement_coordinates",
    "Bounding_boxes",
    "Lesion_diameters_Pixel_",
    "Normalized_lesion_location",
    "Coarse_lesion_type",
    "Possibly_noisy",
    "Slice_range",
    "Spacing_mm_px_",
    "Image_size",
    "DICOM_windows",
    "Patient_gender",
    "Patient_age",
    "Train_Val_Test",
)

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
"""Coarse_lesion_type; abdomen is what is neither liver nor kidney."""

SPLITS = {1: "train", 2: "val", 3: "test"}
"""Train_Val_Test."""

TOLERANCE_PX = 0.01
"""How far box and diameters may stand from what the four points give."""

Numbers = tuple[float, ...]
T = TypeVar("T")


class NotDeepLesion(ValueError):
    """The file is not a DL_info.csv at all."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at one place of the file."""

    line: int
    column: str
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.column}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Row:
    """One lesion. Pixel values are 0-based; None stands for NaN or nothing."""

    patient: int
    study: int
    series: int
    slice: int
    recist: Numbers
    """x11, y11, x12, y12, x21, y21, x22, y22; long axis first."""
    box: Numbers
    """x1, y1, x2, y2."""
    diameters_px: Numbers
    location: Numbers | None
    """x, y, z relative to the body, 0..1."""
    type: int
    noisy: bool
    slice_range: tuple[int, int]
    spacing: Numbers
    """mm per pixel along x and y."""
    slice_interval: float | None
    """mm between slices; the file's sign is kept away."""
    image_size: tuple[int, int]
    """Columns, rows."""
    window: Numbers
    """Low and high end in HU."""
    sex: str
    """F, M or nothing."""
    age: int | None
    split: int

    @property
    def folder(self) -> str:
        return folder_name(self.patient, self.study, self.series)

    @property
    def file_name(self) -> str:
        return f"{self.folder}_{slice_name(self.slice)}"


def folder_name(patient: int, study: int, series: int) -> str:
    """`{patient}_{study}_{series}`, the folder of a series below Images_png."""
    return f"{patient:06d}_{study:02d}_{series:02d}"


def slice_name(number: int) -> str:
    """The file name of a slice inside its series' folder."""
    return f"{number:03d}.png"


def read(path: Path) -> Iterator[tuple[int, Row | None, list[Problem]]]:
    """Read a file row by row: line number, the row where it can be used, and what is wrong or odd with it.

    A row that is given together with problems is usable: its problems are deviations between columns.

    Raises
    ------
    NotDeepLesion : no such file, not text, or a column is missing.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise NotDeepLesion(f"{path.name} is not a DL_info.csv: no column {', '.join(missing)}")
            for cells in reader:
                row, problems = parse(cells, reader.line_num)
                yield reader.line_num, row, problems
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file with commas"
        raise NotDeepLesion(f"{path.name} cannot be read: {reason}") from error


def parse(cells: dict[str, str | None], line: int) -> tuple[Row | None, list[Problem]]:
    """Turn the cells of one line into a row; see `read`."""
    problems: list[Problem] = []

    def take(column: str, convert: Callable[[str], T]) -> T | None:
        try:
            return convert((cells.get(column) or "").strip())
        except ValueError as error:
            problems.append(Problem(line, column, str(error)))
            return None

    values = {
        "patient": take("Patient_index", _index),
        "study": take("Study_index", _index),
        "series": take("Series_ID", _index),
        "slice": take("Key_slice_index", _index),
        "recist": take("Measurement_coordinates", lambda text: _shift(_numbers(text, 8), -1)),
        "box": take("Bounding_boxes", lambda text: _shift(_numbers(text, 4), -1)),
        "diameters_px": take("Lesion_diameters_Pixel_", _diameters),
        "location": take("Normalized_lesion_location", _location),
        "type": take("Coarse_lesion_type", _choice(TYPES)),
        "noisy": take("Possibly_noisy", _choice((0, 1))),
        "slice_range": take("Slice_range", _slice_range),
        "spacing": take("Spacing_mm_px_", _spacing),
        "image_size": take("Image_size", _image_size),
        "window": take("DICOM_windows", lambda text: _numbers(text, 2)),
        "sex": take("Patient_gender", _sex),
        "age": take("Patient_age", _age),
        "split": take("Train_Val_Test", _choice(SPLITS)),
    }
    if problems:
        return None, problems
    *spacing, interval = values.pop("spacing")  # type: ignore[misc]
    values["noisy"] = bool(values["noisy"])
    row = Row(
        **values,  # type: ignore[arg-type]
        spacing=tuple(spacing),
        slice_interval=None if math.isnan(interval) or interval == 0 else abs(interval),
    )
    if (cells["File_name"] or "").strip() != row.file_name:
        reason = f"{cells['File_name']!r} does not name {row.file_name}"
        return None, [Problem(line, "File_name", reason)]
    return row, _deviations(row, line)


def format_row(row: Row) -> list[str]:
    """The cells of one line in the order of `COLUMNS`, in the official number format."""
    return [
        row.file_name,
        str(row.patient),
        str(row.study),
        str(row.series),
        str(row.slice),
        _join(_shift(row.recist, 1)),
        _join(_shift(row.box, 1)),
        _join(row.diameters_px),
        _join(row.location or (math.nan,) * 3),
        str(row.type),
        str(int(row.noisy)),
        _join(row.slice_range),
        _join((*row.spacing, math.nan if row.slice_interval is None else row.slice_interval)),
        _join(row.image_size),
        _join(row.window),
        row.sex,
        "NaN" if row.age is None else str(row.age),
        str(row.split),
    ]


def _deviations(row: Row, line: int) -> list[Problem]:
    """Check the columns that say the same thing in two ways."""
    points = np.array(row.recist).reshape(4, 2)
    found = []
    off = float(np.abs(recist.bounding_box(points) - row.box).max())
    if off > TOLERANCE_PX:
        found.append(Problem(line, "Bounding_boxes", f"{off:.3g} px from the box of the measurement"))
    off = float(np.abs(recist.diameters(points) - row.diameters_px).max())
    if off > TOLERANCE_PX:
        found.append(Problem(line, "Lesion_diameters_Pixel_", f"{off:.3g} px from the measured lengths"))
    first, last = row.slice_range
    if not first <= row.slice <= last:
        found.append(Problem(line, "Slice_range", f"{first}..{last} does not hold key slice {row.slice}"))
    return found


def _join(numbers: Sequence[float]) -> str:
    return ", ".join("NaN" if math.isnan(number) else f"{number:.6g}" for number in numbers)


def _shift(numbers: Numbers, by: int) -> Numbers:
    return tuple(number + by for number in numbers)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text[:40]!r} is not a number") from None


def _numbers(text: str, count: int, finite: bool = True) -> Numbers:
    parts = [part for part in re.split(r"[,\s]+", text) if part]
    if len(parts) != count:
        raise ValueError(f"{count} numbers expected, {len(parts)} found")
    numbers = tuple(_number(part) for part in parts)
    if finite and not all(map(math.isfinite, numbers)):
        raise ValueError(f"{text!r} holds a value that is not finite")
    return numbers


def _whole(text: str) -> int:
    value = _number(text)
    if not math.isfinite(value) or value != int(value):
        raise ValueError(f"{text[:40]!r} is not a whole number")
    return int(value)


def _index(text: str) -> int:
    value = _whole(text)
    if not 1 <= value <= 999_999_999:
        raise ValueError(f"{value} is not an index counted from 1")
    return value


def _choice(choices: Sequence[int] | dict[int, str]) -> Callable[[str], int]:
    def convert(text: str) -> int:
        value = _whole(text)
        if value not in choices:
            raise ValueError(f"{value} is not one of {', '.join(map(str, choices))}")
        return value

    return convert


def _diameters(text: str) -> Numbers:
    numbers = _numbers(text, 2)
    if not numbers[0] >= numbers[1] > 0:
        raise ValueError(f"{text}: long >= short > 0 does not hold")
    return numbers


def _location(text: str) -> Numbers | None:
    if text.lower() in ("", "nan"):
        return None
    numbers = _numbers(text, 3, finite=False)
    return None if any(map(math.isnan, numbers)) else numbers


def _slice_range(text: str) -> tuple[int, int]:
    first, last = (_whole(str(number)) for number in _numbers(text, 2))
    if not 1 <= first <= last:
        raise ValueError(f"{text!r} is not a range of slices")
    return first, last


def _spacing(text: str) -> Numbers:
    x, y, interval = _numbers(text, 3, finite=False)
    if not (math.isfinite(x) and math.isfinite(y) and x > 0 and y > 0):
        raise ValueError(f"{text!r} is not a pixel spacing")
    return x, y, interval


def _image_size(text: str) -> tuple[int, int]:
    columns, rows = (_whole(str(number)) for number in _numbers(text, 2))
    if columns < 1 or rows < 1:
        raise ValueError(f"{text!r} is not an image size")
    return columns, rows


def _sex(text: str) -> str:
    if text.upper() in ("F", "M"):
        return text.upper()
    if text.lower() in ("", "nan", "o", "u"):
        return ""
    raise ValueError(f"{text[:40]!r} is neither F nor M")


def _age(text: str) -> int | None:
    if text.lower() in ("", "nan"):
        return None
    value = _number(text)
    if not 0 <= value <= 130:
        raise ValueError(f"{text!r} is not an age in years")
    return int(value)
