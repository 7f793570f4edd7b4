"""DL_info.csv: the 18 columns of the published DeepLesion, read and written one row at a time.

No Django, so that the importer, the exporter, the phantom and the detector share one understanding of the format.
The file's coordinates are 1-based (MATLAB); a `Row` holds them 0-based.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from datasets import dl_info_cells as cells
from datasets.dl_info_cells import Numbers
from datasets.dl_info_text import LONGEST, NOT_UTF_8, is_utf_8, looks_like_utf_16, records
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

_READERS: tuple[Callable[[str], Any], ...] = (
    str.strip,
    cells.index,
    cells.index,
    cells.index,
    cells.index,
    cells.points,
    cells.box,
    cells.diameters,
    cells.location,
    cells.choice(list(TYPES)),
    cells.flag,
    cells.slice_range,
    cells.spacing,
    cells.image_size,
    cells.window,
    cells.sex,
    cells.age,
    cells.choice(list(SPLITS)),
)
"""What reads each of `COLUMNS`; a cell that it cannot read raises ValueError with the reason."""

TOLERANCE_PX = 0.01
"""How far box and diameters may stand from what the four points give."""

LONGEST_MM = 3000
"""No patient is longer."""

BATCH = 512
"""Rows whose geometry is checked in one go."""


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


Line = tuple[int, Row | None, list[Problem]]
"""Line number, the row where it can be used, and what is wrong or odd with it."""


def folder_name(patient: int, study: int, series: int) -> str:
    """`{patient}_{study}_{series}`, the folder of a series below Images_png."""
    return f"{patient:06d}_{study:02d}_{series:02d}"


def slice_name(number: int) -> str:
    """The file name of a slice inside its series' folder."""
    return f"{number:03d}.png"


def read(path: Path) -> Iterator[Line]:
    """Read a file row by row: line number, the row where it can be used, and what is wrong or odd with it.

    A row that is given together with problems is usable: its problems are deviations between columns.
    Columns may come in any order and among others; a byte order mark and CRLF are fine. A byte that is no text in
    UTF-8 spoils the row in one of whose own columns it stands.

    Raises
    ------
    NotDeepLesion : no such file, empty, text in UTF-16, or a column is missing.
    """
    try:
        with path.open(encoding="utf-8-sig", errors=NOT_UTF_8, newline="") as file:
            found = records(file)
            header = [name.strip() for name in next(found, (0, [""], False))[1]]
            if looks_like_utf_16(header[0]):
                raise NotDeepLesion(f"{path} is text in UTF-16; save it as CSV in UTF-8")
            missing = [name for name in COLUMNS if name not in header]
            if header == [""]:
                raise NotDeepLesion(f"{path} is empty")
            if missing:
                more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
                raise NotDeepLesion(f"{path} is not a DL_info.csv: no column {', '.join(missing[:3])}{more}")
            pick = itemgetter(*map(header.index, COLUMNS))
            batch: list[Line] = []
            for line, texts, too_long in found:
                if not texts:
                    continue
                if too_long:
                    column = header[min(len(texts), len(header)) - 1]
                    batch.append((line, None, [Problem(line, column, f"it has more than {LONGEST} characters")]))
                elif len(texts) < len(header):
                    batch.append((line, None, _cut_short(line, texts, header)))
                else:
                    surplus = len(texts) - len(header)
                    row, problems = parse(pick(texts), line)
                    if surplus > 0:
                        reason = f"{surplus} more cell{'s' * (surplus > 1)} behind the last column"
                        problems.append(Problem(line, header[-1], reason))
                    batch.append((line, row, problems))
                if len(batch) == BATCH:
                    yield from _check_geometry(batch)
                    batch = []
            yield from _check_geometry(batch)
    except OSError as error:
        raise NotDeepLesion(f"{path} cannot be read: {error.strerror}") from error


def _cut_short(line: int, texts: list[str], header: list[str]) -> list[Problem]:
    """What is wrong with the cells that a line has, and where it ends."""
    there = dict(zip(header, texts, strict=False))
    _, problems = parse([there.get(name, "") for name in COLUMNS], line)
    reason = f"the line ends before it, after {len(texts)} of {len(header)} cells"
    return [*(each for each in problems if each.column in there), Problem(line, header[len(texts)], reason)]


def parse(texts: Sequence[str], line: int) -> tuple[Row | None, list[Problem]]:
    """Turn the cells of one line, in the order of `COLUMNS`, into a row, or tell what is wrong with each."""
    if not is_utf_8("".join(texts)):
        odd = [column for column, text in zip(COLUMNS, texts, strict=True) if not is_utf_8(text)]
        return None, [Problem(line, column, "it holds a byte that is no text in UTF-8") for column in odd]
    try:
        name, patient, study, series, key, points, box, lengths, location, kind, noisy, span, steps, *rest = [
            convert(text) for convert, text in zip(_READERS, texts, strict=True)
        ]
    except ValueError:
        return None, list(_unreadable(texts, line))
    size, window, sex, age, split = rest
    interval = cells.interval(steps[2])
    row = Row(
        patient, study, series, key, points, box, lengths, location, kind, noisy, span,
        steps[:2], interval, size, window, sex, age, split,
    )  # fmt: skip
    if name != row.file_name:
        return None, [Problem(line, "File_name", f"{name[:80]!r} does not name {row.file_name}")]
    return row, []


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


def format_line(row: Row) -> str:
    """One line of the file, without its end."""
    return ",".join(f'"{cell}"' if "," in cell else cell for cell in format_row(row))


HEADER = ",".join(COLUMNS)
"""The first line of the file."""


def _unreadable(texts: Sequence[str], line: int) -> Iterator[Problem]:
    for column, convert, text in zip(COLUMNS, _READERS, texts, strict=True):
        try:
            convert(text)
        except ValueError as error:
            yield Problem(line, column, str(error))


def _check_geometry(batch: list[Line]) -> Iterator[Line]:
    """Check the columns that say the same thing in two ways; a box or an axis without extent spoils its row."""
    rows = [row for _, row, _ in batch if row is not None]
    points = np.array([row.recist for row in rows]).reshape(-1, 4, 2)
    boxes = np.array([row.box for row in rows]).reshape(-1, 4)
    lengths = recist.diameters(points)
    in_mm = lengths_mm(rows)
    off_box = np.abs(recist.bounding_box(points) - boxes).max(axis=-1, initial=0.0)
    off_lengths = np.abs(lengths - np.array([row.diameters_px for row in rows]).reshape(-1, 2)).max(-1, initial=0.0)
    spoiled = (
        _where((boxes[:, 2:] <= boxes[:, :2]).any(axis=-1), "Bounding_boxes", "the box has no extent"),
        _where((lengths == 0).any(axis=-1), "Measurement_coordinates", "an axis has no length"),
        _where(in_mm[:, 1] * 1000 < 1, "Spacing_mm_px_", "the short axis is below a micrometre"),
        _where(in_mm[:, 0] > LONGEST_MM, "Spacing_mm_px_", "the long axis is longer than a patient"),
        _where(in_mm[:, 0] < in_mm[:, 1], "Spacing_mm_px_", "measured in mm, the second axis is the longer one"),
    )
    suspicious = set[int]().union(
        np.flatnonzero(np.maximum(off_box, off_lengths) > TOLERANCE_PX).tolist(), *(where for where, *_ in spoiled)
    )
    at = -1
    for line, row, problems in batch:
        if row is None:
            yield line, row, problems
            continue
        at += 1
        if at in suspicious:
            worst = [Problem(line, column, reason) for where, column, reason in spoiled if at in where]
            if worst:
                yield line, None, worst
                continue
            if off_box[at] > TOLERANCE_PX:
                reason = f"{off_box[at]:.3g} px from the box of the measurement"
                problems.append(Problem(line, "Bounding_boxes", reason))
            if off_lengths[at] > TOLERANCE_PX:
                reason = f"{off_lengths[at]:.3g} px from the measured lengths"
                problems.append(Problem(line, "Lesion_diameters_Pixel_", reason))
        first, last = row.slice_range
        if not first <= row.slice <= last:
            problems.append(Problem(line, "Slice_range", f"{first}..{last} does not hold key slice {row.slice}"))
        yield line, row, problems


def _where(bad: ArrayLike, column: str, reason: str) -> tuple[set[int], str, str]:
    return set(np.flatnonzero(bad).tolist()), column, reason


def lengths_mm(rows: Sequence[Row]) -> recist.Array:
    """Convert the rows' own lengths in pixels to mm, (N, 2): long, short.

    Where pixels are not square, an axis is stretched as its direction asks for.
    """
    pixels = np.array([row.diameters_px for row in rows]).reshape(-1, 2)
    spacing = np.array([row.spacing for row in rows]).reshape(-1, 2)
    stretch = np.repeat(spacing[:, :1], 2, axis=1)
    oblong = spacing[:, 0] != spacing[:, 1]
    if oblong.any():
        points = np.array([row.recist for row in rows]).reshape(-1, 4, 2)[oblong]
        lengths = recist.diameters(points)
        measured = recist.diameters(points, spacing[oblong])
        stretch[oblong] = np.divide(measured, lengths, out=np.ones_like(lengths), where=lengths > 0)
    return np.asarray(pixels * stretch)


def _join(numbers: Sequence[float]) -> str:
    return ", ".join("NaN" if math.isnan(number) else f"{number:.6g}" for number in numbers)


def _shift(numbers: Numbers, by: int) -> Numbers:
    return tuple(number + by for number in numbers)
