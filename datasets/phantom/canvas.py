"""The slice being painted: coordinates of its pixels in the body's own frame, and brushes that paint onto it.

The body frame ("canonical") is LPS in mm with the origin on the midline at the height of the pubic symphysis: x to the
patient's left, y to the back, z to the head. A patient's frame is a scaled and shifted copy of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datasets.phantom.fields import Field
from datasets.phantom.plane import Plane

Array = NDArray[np.floating[Any]]
Scalar = float | np.floating[Any]
Window = tuple[slice, slice]

WARP_MARGIN = 11.0
"""mm by which a warped organ may leave its own box."""


@dataclass(frozen=True)
class Frame:
    """From the body frame to the patient: patient = body * scale + offset."""

    scale: tuple[float, float, float]
    offset: tuple[float, float, float]

    def to_patient(self, points: ArrayLike) -> NDArray[np.float64]:
        return np.asarray(points, dtype=np.float64) * self.scale + self.offset

    def to_body(self, points: ArrayLike) -> NDArray[np.float64]:
        return (np.asarray(points, dtype=np.float64) - self.offset) / self.scale


class Warp:
    """Where the body frame is bent: irregular organ outlines that nevertheless fit into each other."""

    LAYERS = ((115.0, 3.6, 0), (34.0, 2.3, 4))
    """Wavelength in mm, amplitude in mm, first channel: the coarse one for all, the fine one for organs alone."""

    def __init__(self, field: Field) -> None:
        self.field = field

    def layer(self, number: int, x: Array, y: Array, z: Array) -> tuple[Array, Array]:
        """Displacements along x and y in mm."""
        wavelength, amplitude, channel = self.LAYERS[number]
        dx, dy = (self.field.sample(x, y, z, wavelength, channel + axis) for axis in (0, 1))
        dx *= np.float32(amplitude)
        dy *= np.float32(amplitude)
        return dx, dy

    def undo(self, points: ArrayLike, layers: Sequence[int] = (0, 1)) -> NDArray[np.float64]:
        """Find the places (N, 3) that the warp moves onto `points` (N, 3), both in the body frame."""
        target = np.atleast_2d(np.asarray(points, dtype=np.float64))
        found = target.copy()
        for _ in range(4):
            x, y, z = (found[:, axis, None].astype(np.float32) for axis in range(3))
            moved = np.zeros_like(found)
            for number in layers:
                dx, dy = self.layer(number, x, y, z)
                moved[:, 0] += dx[:, 0]
                moved[:, 1] += dy[:, 0]
            found = target - moved
        return found


class Canvas:
    """One slice: coordinates and HU.

    Attributes
    ----------
    x, y, z : body frame, unwarped; 2-D, as small as broadcasting allows.
    X, Y : warped, full size; what organs are drawn in.
    BX, BY : coarsely warped, full size; what the body wall and the bones are drawn in.
    hu : (rows, columns) float32.
    pixel, slab : size of a pixel and thickness of the slice in the body frame, mm.
    """

    def __init__(self, plane: Plane, frame: Frame, warp: Warp, sharpness: float = 1.0) -> None:
        self.plane = plane
        self.field = warp.field
        columns = np.arange(plane.columns) * plane.spacing
        rows = np.arange(plane.rows)[:, None] * plane.spacing
        x, y, z = (
            (
                (
                    plane.origin[i]
                    + _along(columns[None], plane.right[i])
                    + _along(rows, plane.down[i])
                    - frame.offset[i]
                )
                / frame.scale[i]
            ).astype(np.float32)
            for i in range(3)
        )
        self.x: Array = x
        self.y: Array = y
        self.z: Array = z
        scale = np.asarray(frame.scale)
        in_plane = float(np.sqrt(scale[0] * scale[1]))
        normal = plane.normal
        self.pixel = plane.spacing / in_plane * 1.15 / sharpness
        self.slab = abs(float(normal[2])) * plane.thickness / float(scale[2])
        if abs(normal[2]) < 0.9:  # a reformat: pixels run along z, the slab lies along the other axes
            self.slab = plane.spacing
            self.pixel = max(self.pixel, plane.thickness * 0.35)
        self._to_pixel = (
            np.stack([np.asarray(plane.right) / plane.spacing, np.asarray(plane.down) / plane.spacing, normal]) * scale
        )
        self._shift = -self._to_pixel @ frame.to_body(plane.origin)
        coarse = warp.layer(0, x, y, z)
        fine = warp.layer(1, x, y, z)
        self.BX: Array = x + coarse[0]
        self.BY: Array = y + coarse[1]
        self.X: Array = self.BX + fine[0]
        self.Y: Array = self.BY + fine[1]
        self.hu: Array = np.full((plane.rows, plane.columns), -1000, dtype=np.float32)

    def boxes(self, low: ArrayLike, high: ArrayLike) -> NDArray[np.float64]:
        """Pixel and depth ranges of boxes in the body frame: (..., 3, 2) as column, row, mm from the plane."""
        low, high = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
        centre = (low + high) / 2 @ self._to_pixel.T + self._shift
        half = (high - low) / 2 @ np.abs(self._to_pixel).T
        return np.stack([centre - half, centre + half], axis=-1)

    def window(self, low: ArrayLike, high: ArrayLike, margin: float = WARP_MARGIN) -> Window | None:
        """The part of the slice that a box of the body frame (with a margin in mm) covers, or None."""
        margins = np.array([margin, margin, 0.0])
        box = self.boxes(np.asarray(low) - margins, np.asarray(high) + margins)
        reach = self.plane.thickness / 2
        if box[2, 0] > reach or box[2, 1] < -reach:
            return None
        c0, c1 = max(0, int(box[0, 0])), min(self.plane.columns, int(box[0, 1]) + 2)
        r0, r1 = max(0, int(box[1, 0])), min(self.plane.rows, int(box[1, 1]) + 2)
        if c1 <= c0 or r1 <= r0:
            return None
        return slice(r0, r1), slice(c0, c1)

    def noise(self, window: Window, wavelength: float, channel: int) -> Array:
        """A field of mean 0 and deviation 1 over a window, in the unwarped frame."""
        x, y, z = self.plain(window)
        return self.field.sample(x, y, z, wavelength, channel)

    def plain(self, window: Window) -> tuple[Array, Array, Array]:
        """Unwarped coordinates over a window."""
        return cut(self.x, window), cut(self.y, window), cut(self.z, window)

    def paint(self, window: Window, cover: Array, hu: Array | Scalar) -> None:
        """Mix HU in where `cover` (0..1) says so."""
        part = self.hu[window]
        part += cover * (hu - part)


def cut(array: Array, window: Window) -> Array:
    """A window of an array that may be broadcast along either axis."""
    rows = window[0] if array.shape[0] > 1 else slice(None)
    columns = window[1] if array.shape[1] > 1 else slice(None)
    return array[rows, columns]


def soft(distance: Array, edge: Array | Scalar) -> Array:
    """Coverage 1 inside (negative distance) to 0 outside, over a border `edge` wide."""
    cover = distance * (-1.0 / edge)
    cover += 0.5
    return np.clip(cover, 0.0, 1.0, out=cover)


def _along(steps: NDArray[Any], component: float) -> NDArray[Any]:
    return steps * component if abs(component) > 1e-12 else np.zeros((1, 1))
