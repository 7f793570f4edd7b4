"""What a radiologist sees around a mark: whether it lies in the body, and whether anything stands out from noise.

A mark is taken as the ellipse along its axes; the ring around it is what it is compared with.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datasets.geometry import body, recist

GAP_PX = 1.5
"""Between the ellipse and its ring, so that the blurred border counts for neither."""

RING_PX = 3.0
RING_SHARE = 0.4
"""Width of the ring: so many pixels, or that share of the short half-axis where it is more."""

QUIETEST_HU = 3.0
"""Padding and saturated air have no noise at all, which would make anything distinct."""

_NORMAL_MAD = 1.4826


class Surroundings(NamedTuple):
    """How a mark relates to its slice."""

    outside: float
    """Share of the padded box that lies in the air around the body, 0..1."""
    noise: float
    """Standard deviation of the pixel noise around the mark, HU."""
    distinctness: float
    """Difference of the medians inside and around, in units of its noise: Rose's criterion."""


def surroundings(hu: NDArray[np.generic], points: ArrayLike) -> Surroundings | None:
    """Compare a mark with what lies around it.

    Parameters
    ----------
    hu : (rows, columns), the whole slice.
    points : (4, 2), the ends of the long axis, then of the short one, in 0-based pixels.

    Returns
    -------
    None where no pixel of the slice lies inside the mark or around it.

    Source: A. Rose, J. Opt. Soc. Am. 38, 196 (1948): what differs by less than about five times the noise of its
    whole area is not seen.
    """
    ends = np.asarray(points, dtype=np.float64)
    x1, y1, x2, y2 = recist.bounding_box(ends, recist.PADDING_PX + RING_SHARE * recist.diameters(ends)[1] / 2)
    rows, columns = hu.shape
    left, top = max(0, int(np.floor(x1))), max(0, int(np.floor(y1)))
    right, bottom = min(columns, int(np.ceil(x2)) + 1), min(rows, int(np.ceil(y2)) + 1)
    if right - left < 2 or bottom <= top:
        return None
    near = hu[top:bottom, left:right].astype(np.float64)
    core, ring = _ellipse_and_ring(ends - (left, top), near.shape)
    if not core.any() or not ring.any():
        return None
    noise = float(_NORMAL_MAD * np.median(np.abs(np.diff(near, axis=1))) / np.sqrt(2))
    difference = abs(float(np.median(near[core])) - float(np.median(near[ring])))
    distinctness = difference * float(np.sqrt(core.sum())) / max(noise, QUIETEST_HU)
    return Surroundings(_outside(hu, ends), noise, distinctness)


def _ellipse_and_ring(points: NDArray[np.float64], shape: tuple[int, int]) -> tuple[body.Mask, body.Mask]:
    """The pixels well inside the ellipse along the axes, and those of the ring around it."""
    along = (points[1] - points[0]) / np.linalg.norm(points[1] - points[0])
    across = np.array([-along[1], along[0]])
    middle, other = points[:2].mean(axis=0), points[2:].mean(axis=0)
    centre = middle + across * np.dot(other - middle, across)
    half = recist.diameters(points) / 2
    y, x = np.indices(shape)
    u = (x - centre[0]) * along[0] + (y - centre[1]) * along[1]
    v = (x - centre[0]) * across[0] + (y - centre[1]) * across[1]

    def grown(by: float) -> body.Mask:
        return np.asarray(np.hypot(u / (half[0] + by), v / (half[1] + by)) <= 1)

    short = float(half[1])
    core = grown(-0.15 * short if short > RING_PX else 0.0)
    if not core.any():
        core = grown(0.7)
    return core, grown(GAP_PX + max(RING_PX, RING_SHARE * short)) & ~grown(GAP_PX)


def _outside(hu: NDArray[np.generic], points: NDArray[np.float64]) -> float:
    """Share of the padded box with no body to its left, right, front or back, which lungs and bowel have."""
    tissue = body.mask(hu)
    enclosed = np.ones_like(tissue)
    for axis in (0, 1):
        for step in (1, -1):
            turned = np.flip(tissue, axis) if step < 0 else tissue
            seen = np.logical_or.accumulate(turned, axis=axis)
            enclosed &= np.flip(seen, axis) if step < 0 else seen
    x1, y1, x2, y2 = recist.bounding_box(points)
    rows, columns = hu.shape
    left, top = max(0, int(np.ceil(x1))), max(0, int(np.ceil(y1)))
    inside = enclosed[top : min(rows - 1, int(np.floor(y2))) + 1, left : min(columns - 1, int(np.floor(x2))) + 1]
    return float(1 - inside.mean()) if inside.size else 1.0
