"""From a bookmark to four points on a canonical axial CT slice, or to the reason why not."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datasets.geometry import recist
from datasets.geometry.volume import DUPLICATE_MM, Flips, ImagePlane, OffPlane
from datasets.pacs import deidentify
from datasets.pacs.instance import Instance
from datasets.pacs.readers import Bookmark, Reason, Tool
from datasets.pacs.series import LeftOut, Volume, volumes

Array = NDArray[np.float64]

AXIAL_DEGREES = 30.0
"""Largest angle to the axial plane. Gantries tilt by up to 30 degrees; what leans further is a reformat."""

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
        """Modality of the image, CT."""
        return self.instance.Modality

    @property
    def mark(self) -> tuple[str, tuple[tuple[float, float], ...]]:
        """The same for two bookmarks that save one measurement twice: the slice, and the points to a tenth pixel.

        Both ends of an axis count alike whichever was drawn first.
        """
        rounded = [(round(x, 1) + 0.0, round(y, 1) + 0.0) for x, y in self.points]
        return self.instance.SOPInstanceUID, (*sorted(rounded[:2]), *sorted(rounded[2:]))


@dataclass(frozen=True, slots=True)
class Rejected:
    """A bookmark that is no lesion, and why."""

    reason: Reason
    detail: str
    """One phrase for people, with the measured value and its limit where there is one."""
    modality: str = ""
    """Modality of the image on which it was drawn, "" where that is not known."""


class Place(NamedTuple):
    """Where a bookmark was drawn."""

    volume: Volume
    slice_index: int
    """0-based place in the volume, from head to feet."""
    ambiguous: bool = False
    """Whether it may as well have been drawn on another series, or on another volume of its own."""


_NO_FRAME = {
    True: "no CT series of the study has its frame of reference",
    False: "it names neither series nor frame of reference, and the study's CT series do not share one",
}


class StudyImages:
    """The images of one study, found by what a bookmark says of them."""

    def __init__(self, instances: Iterable[Instance]) -> None:
        self.by_uid = {instance.SOPInstanceUID: instance for instance in instances}
        self.volumes: list[Volume]
        self.left_out: list[LeftOut]
        self.volumes, self.left_out = volumes(self.by_uid.values())
        self._places = {
            instance.SOPInstanceUID: Place(volume, index)
            for volume in self.volumes
            for index, instance in enumerate(volume.instances)
        }
        self._reasons = {each.instance.SOPInstanceUID: each.reason for each in self.left_out}

    def modality_of(self, bookmark: Bookmark) -> str:
        """Modality of the image that a bookmark names, or whose frame of reference or evidence it shares."""
        named = [self.by_uid[uid] for uid in (bookmark.image, *bookmark.evidence) if uid in self.by_uid]
        if not named and bookmark.frame_of_reference:
            named = [i for i in self.by_uid.values() if i.FrameOfReferenceUID == bookmark.frame_of_reference]
        return next((instance.Modality for instance in named if instance.Rows), "")

    def locate(self, bookmark: Bookmark) -> Place | Rejected:
        """Find the slice on which a bookmark was drawn."""
        if not bookmark.in_mm:
            return self._by_image(bookmark)
        return self._by_position(bookmark)

    def _by_image(self, bookmark: Bookmark) -> Place | Rejected:
        instance = self.by_uid.get(bookmark.image)
        if instance is None:
            detail = "it names an image that the study does not hold" if bookmark.image else "it names no image"
            return Rejected(Reason.UNRESOLVED_IMAGE, detail, self.modality_of(bookmark))
        if instance.Modality != "CT":
            return _other_modality(instance.Modality)
        refusal = deidentify.refusal(instance)
        if refusal:
            return Rejected(Reason.UNSUPPORTED_OBJECT, refusal, instance.Modality)
        place = self._places.get(bookmark.image)
        if place is None:
            reason = self._reasons.get(bookmark.image, "it is no CT slice of the classic kind")
            return Rejected(Reason.UNSUPPORTED_OBJECT, f"its image cannot be placed: {reason}", instance.Modality)
        return place

    def _by_position(self, bookmark: Bookmark) -> Place | Rejected:
        """Take the nearest slice in the frame of reference, in a series that the report names where it names one.

        Of slices that are equally near, that of the first SeriesInstanceUID; refused images only where no other is.
        """
        modality = self.modality_of(bookmark)
        shared = self._in_frame(bookmark)
        if not shared:
            if modality and modality != "CT":
                return _other_modality(modality)
            return Rejected(Reason.UNRESOLVED_IMAGE, _NO_FRAME[bool(bookmark.frame_of_reference)], modality)
        named = {self.by_uid[u].SeriesInstanceUID for u in (bookmark.image, *bookmark.evidence) if u in self.by_uid}
        named |= {bookmark.series}
        candidates = [each for each in shared if each.SeriesInstanceUID in named] or shared
        found = [_nearest(volume, bookmark.points) for volume in candidates]
        taken = [near for near in found if near.may_hold and not deidentify.refusal(near.instance)]
        nearest = min(taken or found, key=lambda near: round(near.away, 2))
        if refusal := deidentify.refusal(nearest.instance):
            return Rejected(Reason.UNSUPPORTED_OBJECT, refusal, "CT")
        return Place(nearest.volume, nearest.slice_index, ambiguous=len(taken) > 1)

    def _in_frame(self, bookmark: Bookmark) -> list[Volume]:
        """The volumes in whose frame of reference a bookmark was drawn; an export need not say in which.

        Then it is the frame of the series or image that it names, or the only one that the study's CT series have.
        """
        if bookmark.frame_of_reference:
            return [each for each in self.volumes if each.frame_of_reference == bookmark.frame_of_reference]
        image = self.by_uid.get(bookmark.image)
        named = bookmark.series or (image.SeriesInstanceUID if image else "")
        chosen = [each for each in self.volumes if not named or each.SeriesInstanceUID == named]
        return chosen if len({each.frame_of_reference for each in chosen}) == 1 else []


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
    if volume.angle_to_axial > AXIAL_DEGREES:
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


class _Near(NamedTuple):
    """The slice of a volume that is nearest to points."""

    volume: Volume
    slice_index: int
    away: float
    """Of the farthest point, in mm."""

    @property
    def instance(self) -> Instance:
        return self.volume.instances[self.slice_index]

    @property
    def may_hold(self) -> bool:
        """Whether the points lie so near that they may have been drawn on it."""
        return self.away <= self.volume.slice_spacing / 2 + DUPLICATE_MM


def _nearest(volume: Volume, points_mm: tuple[tuple[float, ...], ...]) -> _Near:
    """The slice from which the farthest of the points is least far."""
    positions = np.array([plane.position for plane in volume.planes])
    normal = volume.planes[0].normal
    away = np.abs((np.asarray(points_mm)[:, None, :] - positions[None]) @ normal).max(axis=0)
    index = int(np.argmin(away))
    return _Near(volume, index, float(away[index]))


def _pair(values: Array) -> tuple[float, float]:
    return float(values[0]), float(values[1])


def _other_modality(modality: str) -> Rejected:
    return Rejected(Reason.OTHER_MODALITY, f"drawn on {modality or 'an image without modality'}, not CT", modality)
