"""Which slice a bookmark was drawn on: the image that it names, or the nearest in its frame of reference."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from datasets.geometry.volume import DUPLICATE_MM
from datasets.pacs import deidentify
from datasets.pacs.instance import Instance
from datasets.pacs.readers import Bookmark, Reason, Reference, is_annotation
from datasets.pacs.series import CT_IMAGE, LeftOut, Volume, volumes


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


class _Named(NamedTuple):
    """The images that a bookmark names: its own, or those of its series, or its report's evidence.

    Of images that count alike one stands for all.
    """

    there: list[Instance]
    missing: list[Reference]


class _Evidence(NamedTuple):
    """What was looked up last: all bookmarks of a report share their evidence, which may be long."""

    of: tuple[Reference, ...]
    named: _Named
    missing: dict[str, Reference]
    """By SOPInstanceUID."""


CT_CLASSES = frozenset(f"{CT_IMAGE}{suffix}" for suffix in ("", ".1", ".2"))
"""CT, Enhanced CT and Legacy Converted Enhanced CT Image Storage."""

_ONE_OBJECT = "it is no CT slice of the classic kind"
_OTHER_STUDY = "it is drawn on an image of another study, which is not looked for there"


class StudyImages:
    """The images of one study, found by what a bookmark says of them.

    What the study does not hold may still arrive: a mark on it waits (UNRESOLVED_IMAGE). Where nothing that arrives
    would help, the reason is another one.
    """

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
        self._studies = {instance.StudyInstanceUID for instance in self.by_uid.values()}
        # CT first: that is what a mark is looked for on.
        self._images = sorted(filter(_is_image, self.by_uid.values()), key=lambda each: each.Modality != "CT")
        self._by_frame: dict[str, list[Instance]] = defaultdict(list)
        self._by_series: dict[str, list[Instance]] = defaultdict(list)
        for instance in self._images:
            self._by_frame[instance.FrameOfReferenceUID].append(instance)
            self._by_series[instance.SeriesInstanceUID].append(instance)
        self._evidence = _Evidence((), _Named([], []), {})

    def modality_of(self, bookmark: Bookmark) -> str:
        """Modality of the image that a bookmark names, or whose frame of reference or evidence it shares."""
        named = self._named(bookmark).there
        if not named and bookmark.frame_of_reference:
            named = self._by_frame.get(bookmark.frame_of_reference, [])
        return named[0].Modality if named else ""

    def locate(self, bookmark: Bookmark) -> Place | Rejected:
        """Find the slice on which a bookmark was drawn."""
        if not bookmark.in_mm:
            return self._by_image(bookmark)
        return self._by_position(bookmark)

    def _named(self, bookmark: Bookmark) -> _Named:
        image = self.by_uid.get(bookmark.image)
        if image is not None and _is_image(image):
            return _Named([image], [])
        if self._evidence.of is not bookmark.evidence:
            self._evidence = self._looked_up(bookmark.evidence)
        if bookmark.image:
            own = self._evidence.missing.get(bookmark.image)
            return _Named([], [own]) if own else _Named(self._evidence.named.there, [Reference(bookmark.image)])
        if bookmark.series:
            of_series = self._unlike(self._by_series.get(bookmark.series, []))
            return _Named(of_series, [] if of_series else [Reference("", SeriesInstanceUID=bookmark.series)])
        return self._evidence.named

    def _looked_up(self, evidence: tuple[Reference, ...]) -> _Evidence:
        missing = {each.SOPInstanceUID: each for each in evidence if each.SOPInstanceUID not in self.by_uid}
        found = (self.by_uid.get(each.SOPInstanceUID) for each in evidence)
        there = self._unlike(each for each in found if each is not None and _is_image(each))
        unlike = {(each.SOPClassUID, each.SeriesInstanceUID, each.StudyInstanceUID): each for each in missing.values()}
        return _Evidence(evidence, _Named(there, list(unlike.values())), missing)

    def _unlike(self, images: Iterable[Instance]) -> list[Instance]:
        """One image of each series, frame of reference and modality, and of those with a place and without."""
        unlike: dict[tuple[str, str, str, bool], Instance] = {}
        for each in images:
            placed = each.SOPInstanceUID in self._places
            unlike.setdefault((each.SeriesInstanceUID, each.FrameOfReferenceUID, each.Modality, placed), each)
        return list(unlike.values())

    def _by_image(self, bookmark: Bookmark) -> Place | Rejected:
        if not bookmark.image:
            return Rejected(Reason.UNSUPPORTED_OBJECT, "it names no image", self.modality_of(bookmark))
        instance = self.by_uid.get(bookmark.image)
        if instance is None:
            never = self._never_there(self._named(bookmark).missing)
            detail = "it names an image that the study does not hold"
            return never or Rejected(Reason.UNRESOLVED_IMAGE, detail, self.modality_of(bookmark))
        return self._refused(instance) or self._places[bookmark.image]

    def _by_position(self, bookmark: Bookmark) -> Place | Rejected:
        """Take the nearest slice in the frame of reference, in a series that the report names where it names one.

        Of slices that are equally near, that of the first SeriesInstanceUID; refused images only where no other is.
        """
        shared = self._in_frame(bookmark)
        there, missing = self._named(bookmark)
        frame = bookmark.frame_of_reference
        inside = [each for each in there if not frame or each.FrameOfReferenceUID in ("", frame)]
        series = {each.SeriesInstanceUID for each in there} | {each.SeriesInstanceUID for each in missing}
        chosen = [each for each in shared if each.SeriesInstanceUID in series]
        if not chosen:
            refused = self._first_refused(inside)
            if refused or (not there and (refused := self._never_there(missing))):
                return refused
        if not shared:
            return self._in_no_volume(bookmark)
        found = [_nearest(volume, bookmark.points) for volume in chosen or shared]
        # What may lie in an axial slice was not drawn across it, on a localizer or a reformat.
        found = [near for near in found if near.volume.is_axial and near.is_flat] or found
        taken = [near for near in found if near.may_hold and not deidentify.refusal(near.instance)]
        nearest = min(taken or found, key=lambda near: round(near.away, 2))
        if refusal := deidentify.refusal(nearest.instance):
            return Rejected(Reason.UNSUPPORTED_OBJECT, refusal, "CT")
        elsewhere = any(each.Modality != "CT" for each in inside) if chosen else bool(there or missing)
        return Place(nearest.volume, nearest.slice_index, ambiguous=len(taken) > 1 or elsewhere)

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

    def _in_no_volume(self, bookmark: Bookmark) -> Rejected:
        """Why a bookmark in mm is in no volume of the study."""
        frame, named = bookmark.frame_of_reference, bookmark.series or bookmark.image
        if not frame and not named and self.volumes:
            detail = "it names neither series nor frame of reference, and the study's CT series do not share one"
            return Rejected(Reason.UNSUPPORTED_OBJECT, detail, "CT")
        if frame:
            refused, detail = self._first_refused(self._by_frame.get(frame, [])), "its frame of reference"
        elif named:
            refused, detail = None, "the series or image that it names"
        else:
            refused, detail = self._first_refused(self._images), "any image"
        return refused or Rejected(Reason.UNRESOLVED_IMAGE, f"the study does not hold {detail}")

    def _first_refused(self, images: Iterable[Instance]) -> Rejected | None:
        return next(filter(None, map(self._refused, images)), None)

    def _refused(self, instance: Instance) -> Rejected | None:
        """Why no mark on an image of the study is taken; None where one may be."""
        if instance.Modality != "CT":
            return _other_modality(instance.Modality)
        if refusal := deidentify.refusal(instance):
            return Rejected(Reason.UNSUPPORTED_OBJECT, refusal, "CT")
        if instance.SOPInstanceUID in self._places:
            return None
        reason = self._reasons.get(instance.SOPInstanceUID, _ONE_OBJECT)
        return Rejected(Reason.UNSUPPORTED_OBJECT, f"its image cannot be placed: {reason}", "CT")

    def _never_there(self, missing: list[Reference]) -> Rejected | None:
        """Why none of the images that a bookmark names and the study does not hold would help if it arrived."""
        if missing and all(each.StudyInstanceUID not in {"", *self._studies} for each in missing):
            return Rejected(Reason.UNSUPPORTED_OBJECT, _OTHER_STUDY)
        if missing and all(each.SOPClassUID not in {"", *CT_CLASSES} for each in missing):
            return _other_modality("")
        return None


class _Near(NamedTuple):
    """The slice of a volume that is nearest to points."""

    volume: Volume
    slice_index: int
    away: float
    """Of the farthest point, in mm."""
    depth: float
    """How far the points spread across the slices, in mm."""

    @property
    def instance(self) -> Instance:
        return self.volume.instances[self.slice_index]

    @property
    def may_hold(self) -> bool:
        """Whether the points lie so near that they may have been drawn on it."""
        return self.away <= self.volume.slice_spacing / 2 + DUPLICATE_MM

    @property
    def is_flat(self) -> bool:
        """Whether one slice of the volume, wherever it lay, could hold the points."""
        return self.depth <= self.volume.slice_spacing + 2 * DUPLICATE_MM


def _nearest(volume: Volume, points_mm: tuple[tuple[float, ...], ...]) -> _Near:
    """The slice from which the farthest of the points is least far."""
    heights = np.asarray(points_mm) @ volume.planes[0].normal
    away = np.abs(heights[:, None] - volume.heights).max(axis=0)
    index = int(np.argmin(away))
    return _Near(volume, index, float(away[index]), float(np.ptp(heights)))


def _is_image(instance: Instance) -> bool:
    return bool(instance.Rows) and not is_annotation(instance)


def _other_modality(modality: str) -> Rejected:
    known = deidentify.modality(modality) or "an image of another kind"
    return Rejected(Reason.OTHER_MODALITY, f"drawn on {known}, not CT", modality)
