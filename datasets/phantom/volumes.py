"""Every lesion of a release boxed in 3-D, whether a reader marked it or not.

Radiologists mark some lesions; what a detector finds beyond them counts as wrong. Scored against these boxes it does
not, so that the cost of missing annotations can be seen. The layout is that of DeepLesion's fully_annotated_val.json:
{"PPPPPP_SS_RR_first-last": [[x1, y1, z1, x2, y2, z2], ...]}, x and y 1-based, z the slice's number, ends included.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from datasets.geometry import recist
from datasets.phantom.lesion import Lesion
from datasets.phantom.plan import Series
from datasets.phantom.plane import Plane
from datasets.phantom.radiologist import SMALLEST_PX

FILE = "fully_annotated.json"

Boxes = list[list[float]]


def sub_volumes(folder: str, series: Series, lesions: Sequence[Lesion], steps: Sequence[int]) -> dict[str, Boxes]:
    """Box all lesions in each run of neighbouring slices.

    Parameters
    ----------
    folder : the series' name in the release.
    steps : indices of the slices that the release holds, ascending.

    Returns
    -------
    Name of the sub-volume to the boxes in it, padded as the marks' are; lesions too small to measure are left out.
    """
    result = {}
    for first, last in _runs(steps):
        boxes = [_box(lesion, series.planes, first, last) for lesion in lesions]
        result[f"{folder}_{first + 1:03d}-{last + 1:03d}"] = [box for box in boxes if box is not None]
    return result


def _runs(steps: Sequence[int]) -> Iterator[tuple[int, int]]:
    """First and last of each run of consecutive numbers."""
    breaks = [0, *(at for at in range(1, len(steps)) if steps[at] != steps[at - 1] + 1), len(steps)]
    for start, end in pairwise(breaks):
        yield steps[start], steps[end - 1]


def _box(lesion: Lesion, planes: Sequence[Plane], first: int, last: int) -> list[float] | None:
    sections = {step: _section(lesion, planes[step]) for step in range(first, last + 1)}
    held = {step: section for step, section in sections.items() if section is not None}
    if not held:
        return None
    corners = np.array(list(held.values()))
    if (corners[:, 2:] - corners[:, :2]).min(axis=1).max() < SMALLEST_PX:
        return None
    x1, y1, x2, y2 = (recist.bounding_box(corners.reshape(-1, 2)) + 1).round(2).tolist()
    return [x1, y1, min(held) + 1.0, x2, y2, max(held) + 1.0]


def _section(lesion: Lesion, plane: Plane) -> tuple[float, float, float, float] | None:
    """x1, y1, x2, y2 of the pixels of a slice whose centres lie in the lesion."""
    column, row, away = plane.to_pixel(lesion.centre)
    if abs(away) > lesion.reach:
        return None
    half = lesion.reach / plane.spacing + 1
    x, y = (np.arange(np.floor(at - half), np.ceil(at + half) + 1) for at in (column, row))
    pixels = np.stack(np.meshgrid(x, y), axis=-1)
    points = plane.to_patient(pixels)
    inside = lesion.distance(points[..., 0], points[..., 1], points[..., 2]) < 0
    if not inside.any():
        return None
    found = pixels[inside]
    return (*found.min(axis=0).tolist(), *found.max(axis=0).tolist())
