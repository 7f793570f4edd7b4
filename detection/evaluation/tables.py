"""Ground truth and detections as arrays, read from DL_info.csv and from a CSV of anyone's detector.

Both files share one frame (1-based), which overlap does not depend on; the arrays stay in it.
"""

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detection.data.table import Lesion, read_lesions, select
from detection.errors import BadTable, EmptySplit
from detection.evaluation.overlap import Floats

Ints = NDArray[np.int64]

DETECTION_COLUMNS = ("File_name", "x1", "y1", "x2", "y2", "score")


@dataclass(frozen=True, slots=True)
class Truth:
    """Images in a list, and their lesions sorted by image."""

    names: tuple[str, ...]
    patients: Ints
    """(I,) patient of each image."""
    image: Ints
    """(G,) index of each lesion's image, ascending."""
    boxes: Floats
    """(G, 4) x1, y1, x2, y2."""
    types: Ints
    """(G,) Coarse_lesion_type."""
    sizes: Floats
    """(G,) mean of both diameters in mm."""


@dataclass(frozen=True, slots=True)
class Detections:
    """Boxes found in the images of a `Truth`."""

    image: Ints
    """(D,) index of the image."""
    boxes: Floats
    """(D, 4) x1, y1, x2, y2."""
    scores: Floats
    """(D,) higher is surer."""
    ignored: int = 0
    """Detections in images that are not in the list."""


def truth_of(lesions: Sequence[Lesion]) -> Truth:
    """Arrays of lesions in 1-based pixels; an image is in the list when it has a lesion here.

    Raises
    ------
    EmptySplit : there are none.
    """
    if not lesions:
        raise EmptySplit("There are no lesions to evaluate against; choose another split")
    names = sorted({lesion.file_name for lesion in lesions})
    index = {name: number for number, name in enumerate(names)}
    ordered = sorted(lesions, key=lambda lesion: index[lesion.file_name])
    patients = {lesion.file_name: lesion.patient for lesion in ordered}
    return Truth(
        names=tuple(names),
        patients=np.array([patients[name] for name in names], dtype=np.int64),
        image=np.array([index[lesion.file_name] for lesion in ordered], dtype=np.int64),
        boxes=np.array([lesion.box for lesion in ordered], dtype=np.float64) + 1,
        types=np.array([lesion.type for lesion in ordered], dtype=np.int64),
        sizes=np.array([lesion.diameter_mm for lesion in ordered], dtype=np.float64),
    )


def read_truth(path: Path, split: str) -> Truth:
    """Read the lesions of one split without the noisy ones, and the images that still have a lesion.

    Raises
    ------
    BadTable, EmptySplit
    """
    lesions = select(read_lesions(path), split)
    if not lesions:
        raise EmptySplit(f"{path.name} has no lesion in the {split} split; choose another with --split")
    return truth_of(lesions)


def read_detections(path: Path, truth: Truth) -> Detections:
    """Read File_name, x1, y1, x2, y2, score; detections in other images are counted and left out.

    Raises
    ------
    BadTable : see `read_columns`; a box ends before it begins; or no image is one of the truth's.
    """
    index = {name: number for number, name in enumerate(truth.names)}
    images: list[int] = []
    values: list[tuple[float, ...]] = []
    ignored = 0
    for name, row in read_boxes(path):
        image = index.get(name, -1)
        if image < 0:
            ignored += 1
            continue
        images.append(image)
        values.append(row)
    if ignored and not images:
        raise BadTable(f"{path.name} holds no detection in any of the {len(truth.names)} images of the truth")
    table = np.array(values, dtype=np.float64).reshape(-1, 5)
    return Detections(np.array(images, dtype=np.int64), table[:, :4], table[:, 4], ignored)


def read_boxes(path: Path) -> Iterator[tuple[str, tuple[float, ...]]]:
    """Read File_name, x1, y1, x2, y2, score line by line.

    Raises
    ------
    BadTable : see `read_columns`; or a box ends before it begins (which line is said).
    """
    for line, name, row in read_columns(path, DETECTION_COLUMNS):
        x1, y1, x2, y2, _ = row
        if x2 < x1 or y2 < y1:
            said = f"{path.name} line {line}: the box ends before it begins"
            raise BadTable(f"{said}; write x1, y1, x2, y2, not x, y, width, height")
        yield name, row


def read_columns(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, str, tuple[float, ...]]]:
    """Read a CSV line by line: its line, its first named column as text, the others as finite numbers.

    Raises
    ------
    BadTable : no such file, a column is missing, or a cell is no finite number (which line is said).
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = [name.strip() for name in next(reader, [])]
            missing = [name for name in columns if name not in header]
            if missing:
                raise BadTable(f"{path.name} has no column {', '.join(missing)}")
            at, *numbers = (header.index(name) for name in columns)
            for cells in reader:
                if not cells:
                    continue
                try:
                    name, row = cells[at].strip(), tuple(float(cells[number]) for number in numbers)
                except (ValueError, IndexError):
                    name, row = "", (math.nan,)
                if not all(map(math.isfinite, row)):
                    raise BadTable(f"{path.name} line {reader.line_num}: a box or score is not a finite number")
                yield reader.line_num, name, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a text file with commas"
        raise BadTable(f"{path.name} cannot be read: {reason}") from error


def write_detections(path: Path, rows: Sequence[tuple[str, Floats]]) -> None:
    """Write detections per image: (D, 5) x1, y1, x2, y2 (1-based) and score; appears when all is written."""
    temporary = path.with_name(f".{path.name}.part")
    with temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(DETECTION_COLUMNS)
        for name, found in rows:
            table.writerows([name, *(f"{value:.3f}" for value in row[:4]), f"{row[4]:.6f}"] for row in found)
    temporary.replace(path)
