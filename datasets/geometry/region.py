"""What the pixels inside a box look like."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Statistics(NamedTuple):
    """HU inside a box."""

    mean: float
    std: float
    min: float
    max: float


def statistics(hu: NDArray[np.generic], box: ArrayLike) -> Statistics | None:
    """Summarise the pixels whose centres lie inside a box.

    Parameters
    ----------
    hu : (rows, columns).
    box : x1, y1, x2, y2 in pixels; clipped to the image.

    Returns
    -------
    None when no pixel centre lies inside.
    """
    x1, y1, x2, y2 = np.asarray(box, dtype=np.float64)
    rows, columns = hu.shape
    left, top = max(0, int(np.ceil(x1))), max(0, int(np.ceil(y1)))
    right, bottom = min(columns - 1, int(np.floor(x2))), min(rows - 1, int(np.floor(y2)))
    if right < left or bottom < top:
        return None
    inside = hu[top : bottom + 1, left : right + 1].astype(np.float64)
    return Statistics(float(inside.mean()), float(inside.std()), float(inside.min()), float(inside.max()))
