"""Where a lesion lies across the body: x and y relative to the outline of the body on its slice.

The published `Normalized_lesion_location` was taken apart on the 43 public key slices whose pixels are at hand, by
trying thresholds (-900 to -150 HU), openings (none to 21 x 21), the largest component against all of them, the centre
of the box against that of the four points, and the extent of the mask against the image, its centroid and the
lesion's own row:

- The mask is HU > -768, opened with 7 x 7 pixels, with **all** components: the opening takes the table's thin shells
  away, but an arm beside the trunk or the table's edge counts. With the largest component alone, or another threshold,
  single slices are off by up to 0.17.
- The position is that of the box's centre between the first and the last column (row) of the mask.
- What is published is stretched once more: x = 0.996 rel - 0.0066, y = 0.814 rel + 0.1226, the same for every slice.
  Both are the rescaling to 0..1 of all the dataset's lesions between the least and the greatest relative position:
  0.0067 to 1.0108 for x, -0.151 to 1.078 for y. (A few lie outside their mask, most often in y.)

The 43 slices agree to 0.0002 in the median; a few, where tubes, sheets or a table survive the opening, differ by
up to 0.16 in x and 0.07 in y. For those the published mask was another one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Mask = NDArray[np.bool_]

AIR = -768
"""HU above which a pixel belongs to the body."""

OPENING = 7
"""Edge of the square that opens the mask, pixels."""

LEAST = np.array([0.0067, -0.1507])
GREATEST = np.array([1.0108, 1.0782])
"""Relative x and y of the published dataset's outermost lesions, which stand at 0 and 1 there."""

REACH = 0.16
"""How far outside its outline, in widths and heights of it, a lesion is still of this body: a little farther than the
outermost published one."""


class NoBody(ValueError):
    """Nothing on the slice is denser than air."""


@dataclass(frozen=True)
class Outline:
    """First and last column and row of the body, pixels, both inclusive."""

    left: int
    top: int
    right: int
    bottom: int


def mask(hu: NDArray[np.generic]) -> Mask:
    """Mark the body, (rows, columns), after the opening that takes away sheets, tubes and the table's shells."""
    dense = np.asarray(hu) > AIR
    return ~_eroded(~_eroded(dense, OPENING), OPENING)


def outline(hu: NDArray[np.generic]) -> Outline:
    """Enclose the body on a slice, HU of shape (rows, columns).

    Raises
    ------
    NoBody : the mask is empty, or no wider or higher than the opening itself.
    """
    body = mask(hu)
    columns, rows = np.flatnonzero(body.any(axis=0)), np.flatnonzero(body.any(axis=1))
    if len(columns) <= OPENING or len(rows) <= OPENING:
        raise NoBody("the slice shows no body")
    return Outline(int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1]))


def relative(points: ArrayLike, body: Outline) -> NDArray[np.float64]:
    """Place points in a body's outline, in the scale of `Normalized_lesion_location`.

    Parameters
    ----------
    points : (..., 2) x and y in pixels, 0-based; for a lesion the centre of its box.

    Returns
    -------
    (..., 2): x to the image's right (the patient's left), y to the back, 0..1; what lies farther out is set to 0 or 1.
    """
    corner = np.array([body.left, body.top], dtype=np.float64)
    extent = np.array([body.right - body.left, body.bottom - body.top], dtype=np.float64)
    inside = (np.asarray(points, dtype=np.float64) - corner) / extent
    return np.asarray(np.clip((inside - LEAST) / (GREATEST - LEAST), 0.0, 1.0))


def holds(point: ArrayLike, body: Outline) -> bool:
    """Tell whether a point, (2,) pixels, lies in an outline or near enough: else the outline is of something else."""
    corner = np.array([body.left, body.top], dtype=np.float64)
    extent = np.array([body.right - body.left, body.bottom - body.top], dtype=np.float64)
    inside = (np.asarray(point, dtype=np.float64) - corner) / extent
    return bool(((inside >= -REACH) & (inside <= 1 + REACH)).all())


def _eroded(marked: Mask, edge: int) -> Mask:
    """Keep the pixels whose square neighbourhood is marked throughout; what is beyond the image counts as marked."""
    for axis in (0, 1):
        length, half = marked.shape[axis], edge // 2
        padding = [(half, half) if each == axis else (0, 0) for each in (0, 1)]
        padded = np.pad(marked, padding, constant_values=True)
        marked = np.logical_and.reduce([padded.take(range(i, i + length), axis=axis) for i in range(edge)])
    return marked
