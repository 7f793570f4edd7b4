"""Where a slice lies: the one description of geometry that renderer, radiologist and writers share."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Triple = tuple[float, float, float]


def triple(values: ArrayLike) -> Triple:
    """Three numbers as a tuple of floats."""
    x, y, z = (float(value) for value in np.asarray(values))
    return x, y, z


@dataclass(frozen=True, slots=True)
class Plane:
    """A slice in patient space (LPS, mm)."""

    origin: tuple[float, float, float]
    """Centre of the first pixel (ImagePositionPatient)."""
    right: tuple[float, float, float]
    """Unit vector along increasing columns."""
    down: tuple[float, float, float]
    """Unit vector along increasing rows."""
    spacing: float
    """mm per pixel, the same along both axes."""
    columns: int
    rows: int
    thickness: float
    """mm along the normal."""

    @property
    def normal(self) -> Array:
        """Unit vector right x down."""
        return np.cross(self.right, self.down)

    def moved(self, millimetres: ArrayLike) -> "Plane":
        """The same plane, shifted by a vector (LPS, mm)."""
        return replace(self, origin=triple(np.asarray(self.origin) + np.asarray(millimetres)))

    def to_patient(self, pixels: ArrayLike) -> Array:
        """Pixels (..., 2) as x, y to patient space (..., 3)."""
        pixels = np.asarray(pixels, dtype=np.float64) * self.spacing
        return np.asarray(self.origin) + pixels[..., :1] * self.right + pixels[..., 1:] * self.down

    def to_pixel(self, points: ArrayLike) -> Array:
        """Patient space (..., 3) to pixels x, y and the signed distance from the plane in mm, (..., 3)."""
        relative = np.asarray(points, dtype=np.float64) - self.origin
        basis = np.stack([np.divide(self.right, self.spacing), np.divide(self.down, self.spacing), self.normal])
        return np.asarray(relative @ basis.T)


def axial(centre: ArrayLike, spacing: float, size: int, thickness: float) -> Plane:
    """A square axial plane around `centre` (LPS, mm), seen from the feet: the patient's left is on the right."""
    x, y, z = (float(value) for value in np.asarray(centre))
    half = (size - 1) / 2 * spacing
    return Plane((x - half, y - half, z), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), spacing, size, size, thickness)


def tilted(plane: Plane, degrees: float) -> Plane:
    """Turn a plane about its horizontal middle line, as a tilted gantry does."""
    angle = np.deg2rad(degrees)
    down = (0.0, float(np.cos(angle)), float(np.sin(angle)))
    middle = plane.to_patient([0.0, (plane.rows - 1) / 2])
    origin = middle - np.multiply(down, (plane.rows - 1) / 2 * plane.spacing)
    return replace(plane, origin=triple(origin), down=down)
