"""Small releases to test with: noise, and in it discs that are brighter, which are the lesions."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "deeplesion"

needs_real = pytest.mark.skipif(
    not (REAL / "DL_info.csv").is_file(), reason="the real subset of DeepLesion is not at ../shared/data/deeplesion"
)

HEADER = [
    "File_name", "Patient_index", "Study_index", "Series_ID", "Key_slice_index", "Measurement_coordinates",
    "Bounding_boxes", "Lesion_diameters_Pixel_", "Normalized_lesion_location", "Coarse_lesion_type", "Possibly_noisy",
    "Slice_range", "Spacing_mm_px_", "Image_size", "DICOM_windows", "Patient_gender", "Patient_age", "Train_Val_Test",
]  # fmt: skip


def row(
    patient: int = 1, slice: int = 10, box=(20.0, 20.0, 40.0, 40.0), split: int = 1, size: int = 64, noisy: int = 0,
    interval: float = 2.0, type: int = 5, series: int = 1, diameters=(10.0, 8.0), spacing: float = 0.8,
) -> dict[str, str]:  # fmt: skip
    """One line of a DL_info.csv; `box` is 0-based."""
    values = [
        f"{patient:06d}_01_{series:02d}_{slice:03d}.png", patient, 1, series, slice, "1, 1, 2, 2, 1, 2, 2, 1",
        ", ".join(str(value + 1) for value in box), ", ".join(map(str, diameters)), "0.5, 0.5, 0.5", type, noisy,
        f"{slice - 2}, {slice + 2}", f"{spacing}, {spacing}, {interval}", f"{size}, {size}", "-175, 275", "F", 60,
        split,
    ]  # fmt: skip
    return dict(zip(HEADER, map(str, values), strict=True))


def write_table(path: Path, rows: list[dict[str, str]]) -> Path:
    """Write lines as a DL_info.csv."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, HEADER)
        writer.writeheader()
        writer.writerows(rows)
    return path


def save_png(path: Path, hu: np.ndarray) -> None:
    """Write HU as DeepLesion does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((hu.astype(np.int32) + 32768).astype(np.uint16)).save(path)


def write_release(folder: Path, *, patients: int = 10, size: int = 64, seed: int = 0, manifest: bool = True) -> Path:
    """Write a release of one key slice per patient, with the slices before and after it.

    Of ten patients, seven are for training, one for validation, two for testing.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    rows = []
    for patient in range(1, patients + 1):
        radius = rng.uniform(5, 9)
        centre = rng.uniform(radius + 6, size - radius - 6, 2)
        inside = np.hypot(x - centre[0], y - centre[1]) < radius
        for number in (9, 10, 11):
            hu = rng.normal(0, 30, (size, size)) + 600 * inside
            save_png(folder / "Images_png" / f"{patient:06d}_01_01" / f"{number:03d}.png", hu)
        box = (*(centre - radius - 2), *(centre + radius + 2))
        place = patient % 10
        split = 3 if place in (0, 5) else 2 if place == 3 else 1
        rows.append(row(patient, 10, box, split, size, diameters=(2 * radius, 2 * radius)))
    write_table(folder / "DL_info.csv", rows)
    if manifest:
        content = {"format_version": 1, "name": "discs", "files": []}
        (folder / "manifest.json").write_text(json.dumps(content))
    return folder
