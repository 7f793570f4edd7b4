"""Noise as a scanner makes it: coloured by the reconstruction kernel, stronger where rays pass more body.

The texture comes from one periodic tile per kernel and pixel size, cut at a random place for every slice.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.phantom.seeds import rng

Array = NDArray[np.floating[Any]]

TILE = 1024
WATER_PER_MM = 0.0192
"""Attenuation of water at 70 keV, 1/mm."""
REFERENCE = 5.4
"""Attenuation (of the whole path) at which a kernel's stated noise holds: about 28 cm of water."""
STREAK_FROM = 6.6
"""Attenuation beyond which photon starvation draws streaks along the path."""


@dataclass(frozen=True)
class Kernel:
    """A reconstruction kernel.

    Attributes
    ----------
    name : ConvolutionKernel.
    cutoff : spatial frequency at which the noise spectrum has fallen to 1/e, cycles/mm.
    noise : standard deviation in HU at 1 mm slice thickness and the reference attenuation.
    sharpness : above 1 draws narrower edges.
    """

    name: str
    cutoff: float
    noise: float
    sharpness: float


KERNELS = {
    kernel.name: kernel
    for kernel in (
        Kernel("B31f", 0.36, 27.0, 1.0),
        Kernel("STANDARD", 0.40, 29.0, 1.05),
        Kernel("FC08", 0.38, 28.0, 1.0),
        Kernel("B60f", 0.62, 58.0, 1.5),
        Kernel("LUNG", 0.68, 64.0, 1.6),
    )
}


@lru_cache(maxsize=12)
def _tile(cutoff_steps: int, streaks: bool) -> Array:
    """A periodic tile of unit deviation; the cut-off in steps of 0.02 cycles per pixel."""
    white = rng(0, "quantum", cutoff_steps, streaks).standard_normal((TILE, TILE), dtype=np.float32)
    fx = np.fft.rfftfreq(TILE).astype(np.float32)[None, :]
    fy = np.fft.fftfreq(TILE).astype(np.float32)[:, None]
    cutoff = cutoff_steps * 0.02
    if streaks:
        gain = np.exp(-np.square(fx / 0.012) - np.square(fy / 0.22)) * np.abs(fy)
    else:
        f = np.hypot(fx, fy)
        gain = (f + np.float32(0.02)) * np.exp(-np.square(f / cutoff))
    tile = np.fft.irfft2(np.fft.rfft2(white) * gain, s=white.shape).astype(np.float32)
    return np.asarray(tile / tile.std(), dtype=np.float32)


def add(hu: Array, spacing: float, thickness: float, kernel: Kernel, dose: float, random: np.random.Generator) -> None:
    """Add noise to a slice in place.

    Parameters
    ----------
    hu : (rows, columns) float32, the object without noise.
    spacing, thickness : mm.
    dose : relative tube current-time product; 1 gives the kernel's stated noise.
    random : decides where the tile is cut.
    """
    rows, columns = hu.shape
    density = hu + np.float32(1000)
    per_pixel = WATER_PER_MM * spacing / 1000
    across = density.sum(axis=1, dtype=np.float64) * per_pixel
    along = density.sum(axis=0, dtype=np.float64) * per_pixel
    sigma = kernel.noise / np.sqrt(thickness * dose)
    level = np.exp(0.55 * (across - REFERENCE))[:, None] * 0.6 + np.exp(0.55 * (along - REFERENCE))[None, :] * 0.4
    level = np.sqrt(level.astype(np.float32))
    level *= np.float32(sigma)
    steps = max(1, round(kernel.cutoff * spacing / 0.02))
    level *= _cut(_tile(steps, False), rows, columns, random)
    hu += level
    starved = np.maximum(across - STREAK_FROM, 0).astype(np.float32) * np.float32(sigma * 0.55)
    if starved.max() > 0.5:
        hu += _cut(_tile(steps, True), rows, columns, random) * starved[:, None]


def _cut(tile: Array, rows: int, columns: int, random: np.random.Generator) -> Array:
    row = int(random.integers(0, TILE - rows + 1))
    column = int(random.integers(0, TILE - columns + 1))
    part = tile[row : row + rows, column : column + columns]
    return part[::-1] if random.random() < 0.5 else part
