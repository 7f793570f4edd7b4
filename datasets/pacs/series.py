"""The CT slices of a study as volumes: sorted by geometry, with what is wrong in them named."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from datasets.geometry.volume import (
    GAP_RATIO,
    BadPlane,
    Flips,
    ImagePlane,
    NotCanonical,
    Stack,
    canonical,
    stack,
)
from datasets.pacs.instance import Instance
from datasets.pacs.source import by_series

Member = tuple[Instance, ImagePlane]

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
"""CT Image Storage. Enhanced CT keeps many frames in one object and is not read."""

AXIAL_DEGREES = 30.0
"""Largest angle to the axial plane. Gantries tilt by up to 30 degrees; what leans further is a reformat."""

SAME_ORIENTATION = 1e-3
"""Largest difference of direction cosines within one volume."""

SAME_SPACING_MM = 1e-3
"""Largest difference of pixel spacings within one volume."""

CONTRADICTION_RATIO = 0.1
"""A stated SpacingBetweenSlices that differs from the step between positions by a larger share contradicts it."""

DEFAULT_INTERVAL_MM = 1.0
"""Stands in where a volume has one slice and states no thickness."""


@dataclass(frozen=True)
class Volume:
    """Parallel slices of one series, from head to feet."""

    SeriesInstanceUID: str
    number: int
    """Counts the volumes of one series from 1: a series may hold several orientations or sizes."""
    instances: tuple[Instance, ...]
    planes: tuple[ImagePlane, ...]
    """As stored, before any flip."""
    stack: Stack
    """The order is already applied to `instances` and `planes`; gaps and duplicates are places among them."""
    flips: Flips | None
    """What makes every slice canonical; None where flips cannot, as in an oblique or rotated image."""
    contradiction: str
    """How its headers contradict each other about spacing; "" where they do not. The positions are believed."""

    @property
    def key(self) -> str:
        """Names the volume within its study."""
        return f"{self.SeriesInstanceUID}/{self.number}"

    @property
    def frame_of_reference(self) -> str:
        """FrameOfReferenceUID of the slices."""
        return self.instances[0].FrameOfReferenceUID

    @property
    def angle_to_axial(self) -> float:
        """Degrees between the slices and the axial plane."""
        return self.planes[0].angle_to_axial

    @property
    def spacing(self) -> tuple[float, float]:
        """Mm per pixel along x and y, in the order of DL_info."""
        rows, columns = self.planes[0].spacing
        return columns, rows

    @property
    def interval(self) -> float | None:
        """Slice interval in mm; None for a single position."""
        return self.stack.interval

    @property
    def slice_spacing(self) -> float:
        """The interval, or the best guess for a single slice."""
        return self.interval or self.instances[0].SliceThickness or DEFAULT_INTERVAL_MM

    @property
    def is_axial(self) -> bool:
        """Whether the slices lie near enough to the axial plane."""
        return self.angle_to_axial <= AXIAL_DEGREES

    @cached_property
    def heights(self) -> NDArray[np.float64]:
        """Place of every slice along the normal of the first, in mm."""
        return np.array([plane.position for plane in self.planes]) @ self.planes[0].normal

    @property
    def missing(self) -> int:
        """About how many slices its gaps lack."""
        steps = np.abs(np.diff(self.heights))[list(self.stack.gaps)]
        return int(np.rint(steps / self.interval - 1).sum()) if self.interval else 0


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A CT slice that is in no volume."""

    instance: Instance
    reason: str


def volumes(instances: Iterable[Instance]) -> tuple[list[Volume], list[LeftOut]]:
    """Group a study's CT slices into volumes.

    One series gives several volumes where orientation, size or spacing change; its largest is number 1. So do phases
    at the same positions. Returns the volumes in the order of SeriesInstanceUID and number, and the slices without
    usable geometry.
    """
    by_uid: dict[str, list[list[Member]]] = {}
    left_out: list[LeftOut] = []
    for instance in by_series(each for each in instances if each.SOPClassUID == CT_IMAGE):
        if instance.contested:
            left_out.append(LeftOut(instance, "objects at different places have its SOPInstanceUID"))
            continue
        if (instance.NumberOfFrames or 1) > 1:
            left_out.append(LeftOut(instance, "it has many frames"))
            continue
        try:
            member = instance, plane_of(instance)
        except BadPlane as error:
            left_out.append(LeftOut(instance, str(error)))
            continue
        groups = by_uid.setdefault(instance.SeriesInstanceUID, [])
        group = next((group for group in groups if _belong_together(group[0], member)), None)
        if group is None:
            groups.append([member])
        else:
            group.append(member)
    found = [
        _volume(series, number, group)
        for series, groups in by_uid.items()
        for number, group in enumerate(sorted(chain(*map(_phases, groups)), key=len, reverse=True), start=1)
    ]
    return _compared(found), left_out


def plane_of(instance: Instance) -> ImagePlane:
    """The plane on which an image lies.

    Raises
    ------
    BadPlane : the header lacks the geometry or contradicts itself.
    """
    return ImagePlane.from_dicom(
        instance.ImagePositionPatient,
        instance.ImageOrientationPatient,
        instance.PixelSpacing,
        instance.Rows or 0,
        instance.Columns or 0,
    )


def _phases(group: list[Member]) -> list[list[Member]]:
    """A group whose every position is taken equally often, and numbered, is so many phases, in the order of numbers.

    One of which a slice is missing cannot be told from a series with slices that were sent twice; it stays as it is.
    """
    order = stack([plane for _, plane in group])
    repeated = set(order.duplicates)
    places: list[list[Member]] = []
    for place, index in enumerate(order.order):
        if place in repeated:
            places[-1].append(group[index])
        else:
            places.append([group[index]])
    often = len(places[0])
    numbered = ({each.InstanceNumber for each, _ in members} - {None} for members in places)
    if often == 1 or len(places) == 1 or {*map(len, places), *map(len, numbered)} != {often}:
        return [group]
    return [list(phase) for phase in zip(*(sorted(members, key=_number) for members in places), strict=True)]


def _number(member: Member) -> int:
    return member[0].InstanceNumber or 0


def _volume(series: str, number: int, group: list[Member]) -> Volume:
    # Only the geometry decides the order; the number is for slices at one position.
    group = sorted(group, key=lambda member: (_number(member), member[0].SOPInstanceUID))
    order = stack([plane for _, plane in group])
    planes = tuple(group[index][1] for index in order.order)
    try:
        flips: Flips | None = canonical(planes[0])
    except NotCanonical:
        flips = None
    return Volume(
        SeriesInstanceUID=series,
        number=number,
        instances=tuple(group[index][0] for index in order.order),
        planes=planes,
        stack=order,
        flips=flips,
        contradiction=_stated_otherwise(group, order),
    )


def _stated_otherwise(group: list[Member], order: Stack) -> str:
    """Hold the headers' SpacingBetweenSlices against the positions: along the normal, or along a tilted table."""
    stated = {abs(each.SpacingBetweenSlices) for each, _ in group if each.SpacingBetweenSlices}
    interval = order.interval
    if interval is None:
        return ""
    steps = interval, interval / math.cos(math.radians(order.tilt))
    wrong = sorted(
        spacing for spacing in stated if all(abs(spacing - step) > CONTRADICTION_RATIO * step for step in steps)
    )
    return f"its headers state {wrong[0]:g} mm between slices that lie {interval:g} mm apart" if wrong else ""


def _compared(found: list[Volume]) -> list[Volume]:
    """Mark volumes that fill the gaps of another one of their series with slices of another pixel spacing.

    A second reconstruction lies at the same positions, or elsewhere; it contradicts nothing.
    """
    odd = {}
    for small in found:
        for large in found:
            if len(small.instances) < len(large.instances) and _fills_gaps(small, large):
                sentence = f"its slices are {small.spacing[0]:g} mm per pixel among others of {large.spacing[0]:g} mm"
                odd[small.key] = odd[large.key] = sentence
    return [replace(each, contradiction=odd.get(each.key, each.contradiction)) for each in found]


def _fills_gaps(small: Volume, large: Volume) -> bool:
    first, other = (small.instances[0], small.planes[0]), (large.instances[0], large.planes[0])
    if small.SeriesInstanceUID != large.SeriesInstanceUID or not _look_alike(first, other):
        return False
    normal = large.planes[0].normal
    heights = sorted(large.heights)
    gaps = [(heights[i], heights[i + 1]) for i in np.flatnonzero(np.diff(heights) > GAP_RATIO * large.slice_spacing)]
    places = [float(np.dot(plane.position, normal)) for plane in small.planes]
    return all(any(low < place < high for low, high in gaps) for place in places)


def _belong_together(first: Member, second: Member) -> bool:
    stretched = np.abs(np.subtract(first[1].spacing, second[1].spacing)).max()
    return bool(stretched <= SAME_SPACING_MM) and _look_alike(first, second)


def _look_alike(first: Member, second: Member) -> bool:
    """Whether two slices differ in nothing but their pixel spacing and place."""
    (one, plane), (other, other_plane) = first, second
    if one.FrameOfReferenceUID != other.FrameOfReferenceUID:
        return False
    if (plane.rows, plane.columns) != (other_plane.rows, other_plane.columns):
        return False
    turned = np.abs(np.subtract((*plane.x, *plane.y), (*other_plane.x, *other_plane.y))).max()
    return bool(turned <= SAME_ORIENTATION)
