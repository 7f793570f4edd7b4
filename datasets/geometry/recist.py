"""RECIST diameters: four points, two lengths, one box.

A measurement is an array of shape (4, 2): both ends of the long axis, then both ends of the short axis, as (x, y) in
pixels. Every function takes any number of leading axes, so that one call serves one lesion or a whole dataset.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

PADDING_PX = 5.0
"""The paper's padding of the box on each side."""


def axes(points: ArrayLike) -> Array:
    """Return the vectors of both axes, (..., 2, 2): long, short; each as (dx, dy) in pixels."""
    points = np.asarray(points, dtype=np.float64)
    return points[..., 1::2, :] - points[..., 0::2, :]


def diameters(points: ArrayLike, spacing: ArrayLike = (1.0, 1.0)) -> Array:
    """Measure both axes.

    Parameters
    ----------
    points : (..., 4, 2) in pixels.
    spacing : (..., 2), mm per pixel along x (between columns) and y (between rows); ones measure in pixels.

    Returns
    -------
    (..., 2): length of the first and of the second axis.
    """
    spacing = np.asarray(spacing, dtype=np.float64)
    return np.linalg.norm(axes(points) * spacing[..., None, :], axis=-1)


def bounding_box(points: ArrayLike, padding: float = PADDING_PX) -> Array:
    """Enclose the four points with padding, (..., 4) as x1, y1, x2, y2; never clipped to the image.

    Source: paper section 2.2.1.
    """
    points = np.asarray(points, dtype=np.float64)
    return np.concatenate([points.min(axis=-2) - padding, points.max(axis=-2) + padding], axis=-1)


def long_axis_first(points: ArrayLike, spacing: ArrayLike = (1.0, 1.0)) -> Array:
    """Order the axes of each measurement so that the longer one (in mm) comes first."""
    points = np.asarray(points, dtype=np.float64)
    lengths = diameters(points, spacing)
    swap = lengths[..., 1] > lengths[..., 0]
    return np.where(swap[..., None, None], points[..., [2, 3, 0, 1], :], points)


def cross(points: ArrayLike, slack: float = 0.15) -> NDArray[np.bool_]:
    """Tell whether the two axes cross, each within its own length plus `slack` of that length at either end.

    Parallel or zero-length axes do not cross.
    """
    points = np.asarray(points, dtype=np.float64)
    first, second = axes(points)[..., 0, :], axes(points)[..., 1, :]
    between = points[..., 2, :] - points[..., 0, :]
    denominator = _cross_product(first, second)
    with np.errstate(divide="ignore", invalid="ignore"):
        along_first = _cross_product(between, second) / denominator
        along_second = _cross_product(between, first) / denominator
    low, high = -slack, 1 + slack
    inside = (low <= along_first) & (along_first <= high) & (low <= along_second) & (along_second <= high)
    return np.asarray(inside & (denominator != 0))


def _cross_product(a: Array, b: Array) -> Array:
    return np.asarray(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])
