"""Smooth random fields in space: what makes organs irregular, fat stranded and marrow speckled.

A field is one small periodic volume of band-limited noise, read at any scale. Where x varies along the columns alone
and y and z along the rows alone (axial, tilted and coronal planes) the lookup is separable, which is what makes
rendering fast.
"""

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

SIDE = 48
"""Voxels along each edge of the periodic volume."""
VOXELS_PER_WAVE = 5.0
CHANNEL_SHIFT = 7.31
"""Voxels between the places where two channels read the volume: far enough to be unrelated."""


class Field:
    """Noise of mean 0 and standard deviation 1 over all space."""

    def __init__(self, random: np.random.Generator) -> None:
        white = random.standard_normal((SIDE, SIDE, SIDE), dtype=np.float32)
        frequency = np.fft.fftfreq(SIDE).astype(np.float32) * VOXELS_PER_WAVE
        square = (
            frequency[:, None, None] ** 2 + frequency[None, :, None] ** 2 + frequency[None, None, : SIDE // 2 + 1] ** 2
        )
        band = np.sqrt(square) * np.exp(-2.0 * square)
        volume = np.fft.irfftn(np.fft.rfftn(white) * band, s=white.shape, axes=(0, 1, 2))
        self.volume: Array = (volume / volume.std()).astype(np.float32)

    @cached_property
    def _flat(self) -> Array:
        return np.ascontiguousarray(self.volume).ravel()

    def sample(self, x: Array, y: Array, z: Array, wavelength: float, channel: int = 0) -> Array:
        """Read the field.

        Parameters
        ----------
        x, y, z : coordinates in mm, 2-D arrays that broadcast together.
        wavelength : mm from one bump to the next.
        channel : another number gives an unrelated field.

        Returns
        -------
        float32 array of the broadcast shape.
        """
        scale = np.float32(VOXELS_PER_WAVE / wavelength)
        shift = np.float32(CHANNEL_SHIFT * channel)
        if x.shape[0] == 1 and y.shape[1] == 1 and z.shape[1] == 1:
            if z.size == 1:
                return self._plane(x * scale + shift, y * scale + shift, float(z[0, 0] * scale + 2 * shift))
            return self._separable(x * scale + shift, y * scale + shift, z * scale + 2 * shift)
        return self._general(*np.broadcast_arrays(x * scale + shift, y * scale + shift, z * scale + 2 * shift))

    def _plane(self, x: Array, y: Array, z: float) -> Array:
        """One height: interpolate in z, then along the short rows, then between whole rows."""
        floor = int(np.floor(z))
        share = np.float32(z - floor)
        flat = self.volume[floor % SIDE] * (1 - share) + self.volume[(floor + 1) % SIDE] * share
        (y0, y1, fy), (x0, x1, fx) = (_split(axis) for axis in (y, x))
        wide = flat[:, x0[0]] * (1 - fx) + flat[:, x1[0]] * fx
        upper, lower = wide.take(y0[:, 0], axis=0), wide.take(y1[:, 0], axis=0)
        lower -= upper
        lower *= fy
        lower += upper
        return lower

    def _separable(self, x: Array, y: Array, z: Array) -> Array:
        (z0, z1, fz), (y0, y1, fy), (x0, x1, fx) = (_split(axis) for axis in (z, y, x))
        volume = self.volume
        low = volume[z0[:, 0], y0[:, 0]] * (1 - fy) + volume[z0[:, 0], y1[:, 0]] * fy
        high = volume[z1[:, 0], y0[:, 0]] * (1 - fy) + volume[z1[:, 0], y1[:, 0]] * fy
        lines = low * (1 - fz) + high * fz
        left = lines.take(x0[0], axis=1)
        right = lines.take(x1[0], axis=1)
        right -= left
        right *= fx
        right += left
        return right

    def _general(self, x: Array, y: Array, z: Array) -> Array:
        (z0, z1, fz), (y0, y1, fy), (x0, x1, fx) = (_split(axis) for axis in (z, y, x))
        result = np.zeros(x.shape, dtype=np.float32)
        for zi, wz in ((z0, 1 - fz), (z1, fz)):
            for yi, wy in ((y0, 1 - fy), (y1, fy)):
                base = (zi * SIDE + yi) * SIDE
                weight = wz * wy
                result += weight * (self._flat.take(base + x0) * (1 - fx) + self._flat.take(base + x1) * fx)
        return result


def _split(position: Array) -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
    floor = np.floor(position)
    index = floor.astype(np.intp) % SIDE
    return index, (index + 1) % SIDE, (position - floor).astype(np.float32)
