"""A release of made-up columns: bodies that change smoothly from head to feet, drawn in no time."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

COLUMNS = (
    "File_name,Patient_index,Study_index,Series_ID,Key_slice_index,Measurement_coordinates,Bounding_boxes,"
    "Lesion_diameters_Pixel_,Normalized_lesion_location,Coarse_lesion_type,Possibly_noisy,Slice_range,Spacing_mm_px_,"
    "Image_size,DICOM_windows,Patient_gender,Patient_age,Train_Val_Test"
)


def slice_at(height: float, seed: int, size: int = 64) -> np.ndarray:
    """HU of one slice: lungs shrink, hip bones grow, and every body differs a little."""
    random = np.random.default_rng(seed)
    wide, deep = 0.75 + random.uniform(-0.06, 0.06), 0.5 + random.uniform(-0.05, 0.05)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    hu = np.full((size, size), -1000.0)
    hu[(x / wide) ** 2 + (y / deep) ** 2 < 1] = 40
    for side in (-1, 1):
        lung = max(0.02, 0.34 * (1 - 1.3 * height))
        hu[((x - side * 0.35) / lung) ** 2 + (y / (1.2 * lung)) ** 2 < 1] = -850
        hip = max(0.0, 0.3 * (height - 0.3))
        hu[(x - side * 0.4) ** 2 + (y - 0.1) ** 2 < hip**2] = 600
    hu[x**2 + (y - 0.35) ** 2 < (0.08 + 0.06 * height) ** 2] = 300
    return hu + random.normal(0, 12, hu.shape)


def body(seed: int) -> list[tuple[int, np.ndarray]]:
    """A whole body: numbers and HU of 41 slices."""
    return [(number, slice_at(number / 40, seed)) for number in range(41)]


def write_release(
    folder: Path,
    series: Mapping[str, Iterable[int]],
    interval: float = 5.0,
    last: int = 40,
    split: int = 1,
    sources: list[str] | None = None,
) -> None:
    """Write series of the given slice numbers; number 0 is the top, `last` the bottom of the body.

    With `sources`, who placed the lesions, there are a manifest and their z.
    """
    lines = [COLUMNS]
    for at, (name, numbers) in enumerate(series.items()):
        place = folder / "Images_png" / name
        place.mkdir(parents=True)
        present = sorted(numbers)
        for number in present:
            grey = np.clip(np.rint(slice_at(number / last, at)) + 32768, 0, 65535).astype(np.uint16)
            Image.fromarray(grey).save(place / f"{number:03d}.png", compress_level=1)
        key = present[len(present) // 2] if present else 1
        patient, study, order = (int(part) for part in name.split("_"))
        where = f"0.5, 0.5, {0.3 + 0.2 * key / last:.4f}" if sources else "NaN, NaN, NaN"
        lines.append(
            f'{name}_{key:03d}.png,{patient},{study},{order},{key},"1, 9, 9, 9, 5, 5, 5, 9","1, 1, 9, 9","8, 4",'
            f'"{where}",-1,0,"1, 9","0.8, 0.8, {interval}","64, 64","-175, 275",F,50,{split}'
        )
    if sources is not None:
        content = {"format_version": 1, "name": "columns-1.0", "location_sources": sources, "files": []}
        (folder / "manifest.json").write_text(json.dumps(content), encoding="utf-8")
    (folder / "DL_info.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
