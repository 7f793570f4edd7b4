"""Which slice a bookmark was drawn on: the image that it names, or the nearest in its frame of reference."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from datasets.geometry.volume import DUPLICATE_MM
from datasets.pacs import deidentify
from datasets.pacs.instance import Instance
from datasets.pacs.readers import Bookmark, Reason
from datasets.pacs.series import LeftOut, Volume, volumes


@dataclass(frozen=True, slots=True)
class Rejected:
    """A bookmark that is no lesion, and why."""

    reason: Reason
    detail: str
    """One phrase for people, with the measured value and its limit where there is one."""
    modality: str = ""
    """Modality of the image on which it was drawn, "" where that is not known or is none."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "modality", deidentify.modality(self.modality))


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
        self.volumes, self.left_out = volumes(each for each in self.by_uid.values() if each.Modality == "CT")
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


def _other_modality(modality: str) -> Rejected:
    known = deidentify.modality(modality) or "an image of no known modality"
    return Rejected(Reason.OTHER_MODALITY, f"drawn on {known}, not CT", modality)
