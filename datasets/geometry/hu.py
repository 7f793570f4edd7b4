"""Hounsfield units and the 16-bit grey values that carry them: value = HU + 32768."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

OFFSET = 32768


def to_png(hu: ArrayLike) -> NDArray[np.uint16]:
    """Encode HU of any shape as uint16, rounded and clipped to 0..65535."""
    return np.clip(np.rint(hu) + OFFSET, 0, 65535).astype(np.uint16)


def from_png(values: ArrayLike) -> NDArray[np.int32]:
    """Decode uint16 grey values to HU."""
    return np.asarray(values).astype(np.int32) - OFFSET


def window(hu: ArrayLike, low: float, high: float) -> NDArray[np.uint8]:
    """Map HU low..high to 0..255 for a screen; what lies outside is black or white.

    Raises
    ------
    ValueError : the window is empty (high <= low).
    """
    if high <= low:
        raise ValueError(f"a window needs low < high, not {low}..{high}")
    scaled = (np.asarray(hu, dtype=np.float32) - low) * (255.0 / (high - low))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
