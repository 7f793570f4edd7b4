"""Tables in the format of DL_info.csv for tests: made rows, and the real ones where they are."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from datasets import dl_info

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "deeplesion"

needs_real_data = pytest.mark.skipif(
    not (REAL / "DL_info.csv").is_file(), reason=f"the published rows are not there: {REAL}/DL_info.csv"
)

Cells = dict[str, str]


def row(patient: int = 1, study: int = 1, series: int = 1, slice: int = 10, **changes: Any) -> dl_info.Row:
    """Make a row whose columns agree with each other; further rows on one slice differ by `at`, the lesion's x."""
    x = float(changes.pop("at", 30))
    values: dict[str, Any] = {
        "recist": (x - 10, 40.0, x + 10, 40.0, x, 35.0, x, 45.0),
        "box": (x - 15, 30.0, x + 15, 50.0),
        "diameters_px": (20.0, 10.0),
        "location": (0.4, 0.5, 0.6),
        "type": 5,
        "noisy": False,
        "slice_range": (slice - 2, slice + 2),
        "spacing": (0.8, 0.8),
        "slice_interval": 5.0,
        "image_size": (64, 64),
        "window": (-175.0, 275.0),
        "sex": "F",
        "age": 62,
        "split": 1,
    }
    return dl_info.Row(patient, study, series, slice, **(values | changes))


def cells(of: dl_info.Row, **changes: str) -> Cells:
    """The row's texts by column, with some replaced."""
    return dict(zip(dl_info.COLUMNS, dl_info.format_row(of), strict=True)) | changes


def write(path: Path, rows: Iterable[dl_info.Row | Mapping[str, str]], **options: Any) -> Path:
    """Write a table; `columns` chooses and orders them, `encoding` and `end` are those of the file."""
    columns = options.get("columns", dl_info.COLUMNS)
    with path.open("w", encoding=str(options.get("encoding", "utf-8")), newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator=str(options.get("end", "\n")))
        writer.writeheader()
        for each in rows:
            writer.writerow(cells(each) if isinstance(each, dl_info.Row) else each)
    return path


def draw(images: Path, folder: str, number: int, seed: int = 0, size: tuple[int, int] = (64, 64)) -> Path:
    """Write a slice of noise around 40 HU."""
    path = images / folder / dl_info.slice_name(number)
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng([seed, number]).normal(32768 + 40, 10, size[::-1])
    Image.fromarray(noise.astype(np.uint16)).save(path)
    return path
