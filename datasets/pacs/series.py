"""The CT slices of a study as volumes: sorted by geometry, with what is wrong in them named."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from datasets.geometry.volume import (
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

SAME_ORIENTATION = 1e-3
"""Largest difference of direction cosines within one volume."""

SAME_SPACING_MM = 1e-3
"""Largest difference of pixel spacings within one volume."""

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


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A CT slice that is in no volume."""

    instance: Instance
    reason: str


def volumes(instances: Iterable[Instance]) -> tuple[list[Volume], list[LeftOut]]:
    """Group a study's CT slices into volumes.

    One series gives several volumes where orientation, size or spacing change; its largest is number 1. Returns the
    volumes in the order of SeriesInstanceUID and number, and the slices without usable geometry.
    """
    by_uid: dict[str, list[list[Member]]] = {}
    left_out: list[LeftOut] = []
    for instance in by_series(each for each in instances if each.SOPClassUID == CT_IMAGE):
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
        for number, group in enumerate(sorted(groups, key=len, reverse=True), start=1)
    ]
    return found, left_out


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


def _volume(series: str, number: int, group: list[Member]) -> Volume:
    # Only the geometry decides the order; the number is for slices at one position.
    group = sorted(group, key=lambda member: (member[0].InstanceNumber or 0, member[0].SOPInstanceUID))
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
    )


def _belong_together(first: Member, second: Member) -> bool:
    (one, plane), (other, other_plane) = first, second
    if one.FrameOfReferenceUID != other.FrameOfReferenceUID:
        return False
    if (plane.rows, plane.columns) != (other_plane.rows, other_plane.columns):
        return False
    turned = np.abs(np.subtract((*plane.x, *plane.y), (*other_plane.x, *other_plane.y))).max()
    stretched = np.abs(np.subtract(plane.spacing, other_plane.spacing)).max()
    return bool(turned <= SAME_ORIENTATION and stretched <= SAME_SPACING_MM)
