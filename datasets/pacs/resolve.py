"""From a bookmark to four points on a canonical axial CT slice, or to the reason why not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from datasets.geometry import recist
from datasets.geometry.volume import Flips, ImagePlane, OffPlane
from datasets.pacs.instance import Instance
from datasets.pacs.placing import Place, Rejected, StudyImages
from datasets.pacs.readers import Bookmark, Reason, Tool
from datasets.pacs.series import AXIAL_DEGREES, Volume

Array = NDArray[np.float64]

CROSSING_SLACK = 0.25
"""How far beyond its ends, as a share of its length, an axis may still meet the other. Of 4,927 published
measurements 15 do not cross within 0.15 and 13 within 0.2."""

DEGENERATE_PX = 0.1
"""A shorter axis is a click without a drag. The paper's smallest short axis is 0.21 mm, about a quarter pixel."""

OUTSIDE_PX = 0.5
"""Points may lie on the edge pixel's outer half, no further."""

DISAGREEMENT_RATIO = 0.05
DISAGREEMENT_MM = 0.5
"""A reported length that is further from the computed one than both is flagged."""

AGREEMENT_RATIO = 0.01
"""Within this, a reported length is taken to have been computed in a given way."""

UNEQUAL_SPACING_RATIO = 0.01
"""Row and column spacing that differ by more are unequal."""


class Flag(StrEnum):
    """What is odd with a measurement that was kept."""

    LENGTH_DISAGREES = "length_disagrees"
    SPACING_CORRECTED = "spacing_corrected"
    DUPLICATE_POSITION = "duplicate_position"
    AMBIGUOUS_SERIES = "ambiguous_series"


@dataclass(frozen=True)
class Measurement:
    """A RECIST measurement on one slice."""

    volume: Volume
    slice_index: int
    """0-based place in the volume, from head to feet."""
    points: tuple[tuple[float, float], ...]
    """Four (x, y) in pixels of the canonical slice, 0-based: both ends of the long axis, both of the short."""
    diameters_px: tuple[float, float]
    diameters_mm: tuple[float, float]
    reported_axes_mm: tuple[float, float]
    """The same in the order of the report, which may call the shorter axis long."""
    flags: frozenset[Flag]

    @property
    def instance(self) -> Instance:
        """The key slice."""
        return self.volume.instances[self.slice_index]

    @property
    def modality(self) -> str:
        """Modality of the image."""
        return "CT"

    @property
    def mark(self) -> tuple[str, tuple[tuple[float, float], ...]]:
        """The same for two bookmarks that save one measurement twice: the slice, and the points to a tenth pixel.

        Both ends of an axis count alike whichever was drawn first.
        """
        rounded = [(round(x, 1) + 0.0, round(y, 1) + 0.0) for x, y in self.points]
        return self.instance.SOPInstanceUID, (*sorted(rounded[:2]), *sorted(rounded[2:]))


def resolve(bookmark: Bookmark, images: StudyImages) -> Measurement | Rejected:
    """Put a bookmark on its slice.

    The length of both axes is computed from the points; what the report says only raises flags.
    """
    modality = images.modality_of(bookmark)
    if bookmark.reason is not None:
        return Rejected(bookmark.reason, bookmark.detail, modality)
    if bookmark.tool is not Tool.BIDIMENSIONAL or len(bookmark.points) != 4:
        return Rejected(Reason.NOT_RECIST, "it has not the four points of two axes", modality)
    if not all(math.isfinite(number) for point in bookmark.points for number in point):
        return Rejected(Reason.NOT_RECIST, "a coordinate is not a finite number", modality)
    place = images.locate(bookmark)
    if isinstance(place, Rejected):
        return place
    volume = place.volume
    if not volume.is_axial:
        detail = f"its slice is {volume.angle_to_axial:.0f} degrees from axial, where {AXIAL_DEGREES:.0f} are allowed"
        return Rejected(Reason.NON_AXIAL, detail, "CT")
    if volume.flips is None:
        return Rejected(Reason.NON_AXIAL, "its slice is turned by a quarter", "CT")
    return _measure(bookmark, place, volume.flips)


def _measure(bookmark: Bookmark, place: Place, flips: Flips) -> Measurement | Rejected:
    volume, index, ambiguous = place
    plane = volume.planes[index]
    flags = {Flag.AMBIGUOUS_SERIES} if ambiguous else set()
    if bookmark.in_mm:
        try:
            stored = plane.to_pixel(bookmark.points, volume.slice_spacing)
        except OffPlane as error:
            return Rejected(Reason.OFF_PLANE, str(error), "CT")
    else:
        stored = np.array(bookmark.points)
        corrected = _undo_spacing_bug(stored, bookmark, plane)
        if corrected is not None:
            stored = corrected
            flags.add(Flag.SPACING_CORRECTED)
    points = flips.apply_to_points(stored, plane)
    diameters_px = recist.diameters(points)
    if diameters_px.min() < DEGENERATE_PX:
        detail = f"an axis is {diameters_px.min():.2f} px long, where {DEGENERATE_PX} px is the least"
        return Rejected(Reason.DEGENERATE, detail, "CT")
    if points.min() < -OUTSIDE_PX or (points > np.array([plane.columns, plane.rows]) - 1 + OUTSIDE_PX).any():
        return Rejected(Reason.OUTSIDE_IMAGE, "a point lies outside the image", "CT")
    if not recist.cross(points, CROSSING_SLACK):
        return Rejected(Reason.NOT_CROSSING, "its two axes do not cross", "CT")
    as_reported = recist.diameters(points, volume.spacing)
    if _disagrees(as_reported, bookmark):
        flags.add(Flag.LENGTH_DISAGREES)
    if index in volume.stack.duplicates or index + 1 in volume.stack.duplicates:
        flags.add(Flag.DUPLICATE_POSITION)
    points = recist.long_axis_first(points, volume.spacing)
    return Measurement(
        volume=volume,
        slice_index=index,
        points=tuple((float(x), float(y)) for x, y in points),
        diameters_px=_pair(recist.diameters(points)),
        diameters_mm=_pair(recist.diameters(points, volume.spacing)),
        reported_axes_mm=_pair(as_reported),
        flags=frozenset(flags),
    )


def _undo_spacing_bug(points: Array, bookmark: Bookmark, plane: ImagePlane) -> Array | None:
    """Correct points that a viewer divided by the wrong spacing; None where nothing shows that it did.

    Some versions of cornerstone3D, where rows and columns are spaced unequally, divide x by the row spacing and y by
    the column spacing. The reported lengths, which were computed in mm, give it away: both axes agree with swapped
    spacings and not with the true ones. Source: cornerstone3D issue 2758.
    """
    between_rows, between_columns = plane.spacing
    reported = (bookmark.long_mm, bookmark.short_mm)
    if None in reported or abs(between_rows / between_columns - 1) <= UNEQUAL_SPACING_RATIO:
        return None
    as_stated = recist.diameters(points, (between_columns, between_rows))
    swapped = recist.diameters(points, (between_rows, between_columns))
    lengths = np.array(reported, dtype=np.float64)
    tolerance = AGREEMENT_RATIO * lengths
    if (np.abs(swapped - lengths) > tolerance).any() or (np.abs(as_stated - lengths) <= tolerance).any():
        return None
    return points * [between_rows / between_columns, between_columns / between_rows]


def _disagrees(computed: Array, bookmark: Bookmark) -> bool:
    """Compare with what was reported, in the order of the bookmark's own axes."""
    for length, reported in zip(computed, (bookmark.long_mm, bookmark.short_mm), strict=True):
        if reported is not None and abs(length - reported) > max(DISAGREEMENT_MM, DISAGREEMENT_RATIO * length):
            return True
    return False


def _pair(values: Array) -> tuple[float, float]:
    return float(values[0]), float(values[1])
