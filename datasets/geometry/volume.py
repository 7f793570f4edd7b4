"""Where slices lie in the patient: patient millimetres to pixels and back, the order of slices, canonical orientation.

Scanners write slices in any order, mirrored for prone patients, with a tilted gantry and with pixels that are not
square. What leaves this module is one frame: slices from head to feet, x to the patient's left, y to the back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Vector = tuple[float, float, float]

UNIT_TOLERANCE = 0.01
"""How far direction cosines may be from unit length, and their product from zero; files carry few decimals."""

DUPLICATE_MM = 0.01
"""Slices nearer than this along the normal share one position."""

GAP_RATIO = 1.5
"""A step longer than this many slice intervals has slices missing."""


class BadPlane(ValueError):
    """Position, orientation, spacing or size do not describe an image plane."""


class OffPlane(ValueError):
    """A point lies further from the slice than half the slice spacing."""


class NotCanonical(ValueError):
    """Flips alone cannot turn the image so that x runs to the patient's left and y to the back."""


@dataclass(frozen=True)
class ImagePlane:
    """One slice in the patient, LPS in mm.

    Source: DICOM PS3.3 C.7.6.2.1.1.
    """

    position: Vector
    """ImagePositionPatient: the centre of the first pixel."""
    x: Vector
    """Unit direction in which the column index grows."""
    y: Vector
    """Unit direction in which the row index grows."""
    spacing: tuple[float, float]
    """PixelSpacing in mm: between rows, between columns."""
    rows: int
    columns: int

    def __post_init__(self) -> None:
        numbers = (*self.position, *self.x, *self.y, *self.spacing)
        if len(numbers) != 11 or not all(map(math.isfinite, numbers)):
            raise BadPlane("position, orientation or spacing of the image is not a set of finite numbers")
        if min(self.spacing) <= 0 or min(self.rows, self.columns) < 1:
            raise BadPlane("pixel spacing or size of the image is not positive")
        lengths = np.linalg.norm([self.x, self.y], axis=1)
        if np.abs(lengths - 1).max() > UNIT_TOLERANCE or abs(np.dot(self.x, self.y)) > UNIT_TOLERANCE:
            raise BadPlane("the orientation of the image is not two perpendicular unit vectors")

    @classmethod
    def from_dicom(
        cls,
        position: Sequence[float],
        orientation: Sequence[float],
        spacing: Sequence[float],
        rows: int,
        columns: int,
    ) -> ImagePlane:
        """Build a plane from ImagePositionPatient, ImageOrientationPatient, PixelSpacing, Rows and Columns.

        Raises
        ------
        BadPlane : the values contradict each other.
        """
        if (len(position), len(orientation), len(spacing)) != (3, 6, 2):
            raise BadPlane("position, orientation or spacing of the image is missing or has a wrong number of values")
        return cls(_vector(position), _vector(orientation[:3]), _vector(orientation[3:]),
                   (float(spacing[0]), float(spacing[1])), rows, columns)  # fmt: skip

    @cached_property
    def normal(self) -> Array:
        """Unit vector (3,), x cross y."""
        normal = np.cross(self.x, self.y)
        return np.asarray(normal / np.linalg.norm(normal))

    @property
    def angle_to_axial(self) -> float:
        """Degrees, 0..90, between the slice and the patient's axial plane."""
        return math.degrees(math.acos(min(1.0, abs(float(self.normal[2])))))

    def distance(self, points_mm: ArrayLike) -> Array:
        """Signed distance of patient-space points (..., 3) from the plane, (...) in mm."""
        return np.asarray((np.asarray(points_mm, dtype=np.float64) - self.position) @ self.normal)

    def to_pixel(self, points_mm: ArrayLike, slice_spacing: float) -> Array:
        """Project patient-space points onto the slice.

        Parameters
        ----------
        points_mm : (N, 3), LPS in mm.
        slice_spacing : mm between neighbouring slices.

        Returns
        -------
        (N, 2) : x (column) and y (row) in pixels, 0-based, pixel centres at integers.

        Raises
        ------
        OffPlane : a point lies further than half the slice spacing from the plane.
        """
        points = np.asarray(points_mm, dtype=np.float64)
        away = float(np.abs(self.distance(points)).max(initial=0.0))
        if away > slice_spacing / 2 + DUPLICATE_MM:
            raise OffPlane(f"{away:.1f} mm from the slice, where {slice_spacing / 2:.1f} mm is allowed")
        offset = points - self.position
        return np.stack([offset @ self.x / self.spacing[1], offset @ self.y / self.spacing[0]], axis=-1)

    def to_patient(self, points_px: ArrayLike) -> Array:
        """Place pixel coordinates (N, 2), x and y, in the patient: (N, 3), LPS in mm."""
        points = np.asarray(points_px, dtype=np.float64)
        step_x = np.asarray(self.x) * self.spacing[1]
        step_y = np.asarray(self.y) * self.spacing[0]
        return np.asarray(self.position + points[..., :1] * step_x + points[..., 1:] * step_y)


@dataclass(frozen=True)
class Flips:
    """What brings an image to the canonical orientation; its own inverse."""

    columns: bool
    """Reverse left and right."""
    rows: bool
    """Reverse top and bottom."""

    def apply(self, image: NDArray[Any]) -> NDArray[Any]:
        """Flip pixels (rows, columns); a view."""
        return image[:: -1 if self.rows else 1, :: -1 if self.columns else 1]

    def apply_to_points(self, points_px: ArrayLike, plane: ImagePlane) -> Array:
        """Move points (..., 2) along with the pixels of `plane`, whose size alone matters."""
        points = np.array(points_px, dtype=np.float64)
        if self.columns:
            points[..., 0] = plane.columns - 1 - points[..., 0]
        if self.rows:
            points[..., 1] = plane.rows - 1 - points[..., 1]
        return points


def canonical(plane: ImagePlane) -> Flips:
    """Find the flips after which x runs to the patient's left and y to the back.

    Raises
    ------
    NotCanonical : x is not mainly left-right or y not mainly front-back, as in an image turned by a quarter.
    """
    if np.argmax(np.abs(plane.x)) != 0 or np.argmax(np.abs(plane.y)) != 1:
        raise NotCanonical("the image's x does not run left to right or its y not front to back")
    return Flips(columns=plane.x[0] < 0, rows=plane.y[1] < 0)


@dataclass(frozen=True)
class Stack:
    """How parallel slices lie on each other."""

    order: tuple[int, ...]
    """Indices of the given planes, from head to feet."""
    interval: float | None
    """Median step along the normal in mm, of two middle ones the smaller; None for a single position."""
    gaps: tuple[int, ...]
    """Places in `order` after which slices are missing."""
    duplicates: tuple[int, ...]
    """Places in `order` that repeat the position of the place before."""
    tilt: float
    """Degrees between the normal and the step from slice to slice: the gantry's tilt."""


def order_head_to_feet(planes: Sequence[ImagePlane]) -> list[int]:
    """Sort parallel slices along their normal so that z decreases; equal positions keep their order.

    The first plane's normal serves all. Where the normal has no z at all (sagittal, coronal), its own direction does.
    """
    return [int(index) for index in np.argsort(-_heights(planes), kind="stable")]


def stack(planes: Sequence[ImagePlane]) -> Stack:
    """Order parallel slices and measure the steps between them."""
    order = order_head_to_feet(planes)
    heights = _heights(planes)[order]
    steps = -np.diff(heights)
    apart = steps > DUPLICATE_MM
    # Between two middle steps there may lie none at all: half the slices 5 mm apart, half 10 mm.
    interval = float(np.quantile(steps[apart], 0.5, method="lower")) if apart.any() else None
    tilt = 0.0
    if interval is not None:
        travel = np.subtract(planes[order[-1]].position, planes[order[0]].position)
        cosine = abs(float(travel @ planes[0].normal)) / float(np.linalg.norm(travel))
        tilt = math.degrees(math.acos(min(1.0, cosine)))
    return Stack(
        order=tuple(order),
        interval=interval,
        gaps=tuple(int(i) for i in np.flatnonzero(steps > GAP_RATIO * interval)) if interval else (),
        duplicates=tuple(int(i) + 1 for i in np.flatnonzero(~apart)),
        tilt=tilt,
    )


def _heights(planes: Sequence[ImagePlane]) -> Array:
    """Positions along the common normal (N,), growing towards the head."""
    if not planes:
        return np.empty(0)
    normal = planes[0].normal
    return np.asarray([plane.position for plane in planes]) @ (normal if normal[2] >= 0 else -normal)


def _vector(values: Sequence[float] | Array) -> Vector:
    x, y, z = (float(value) for value in values)
    return x, y, z
