"""What a radiologist left in the PACS, whichever object carries it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class Tool(StrEnum):
    """What the mark was drawn with."""

    BIDIMENSIONAL = "bidimensional"
    LINE = "line"
    ARROW = "arrow"
    ELLIPSE = "ellipse"
    TEXT = "text"
    SEGMENTATION = "segmentation"
    OTHER = "other"


class Carrier(StrEnum):
    """The kind of object that carries the mark."""

    SR = "SR"
    PR = "PR"
    AIM = "AIM"
    EXPORT = "export"
    OTHER = "other"


class Reason(StrEnum):
    """Why an annotation does not become a lesion."""

    NOT_RECIST = "not_recist"
    NON_AXIAL = "non_axial"
    OFF_PLANE = "off_plane"
    UNRESOLVED_IMAGE = "unresolved_image"
    NOT_CROSSING = "not_crossing"
    DEGENERATE = "degenerate"
    OUTSIDE_IMAGE = "outside_image"
    UNSUPPORTED_OBJECT = "unsupported_object"
    UNDECODABLE = "undecodable"
    OTHER_MODALITY = "other_modality"


SHAPES = {
    Tool.BIDIMENSIONAL: "a bidimensional mark without its two measurements",
    Tool.LINE: "a single line",
    Tool.ARROW: "an arrow",
    Tool.ELLIPSE: "an ellipse",
    Tool.TEXT: "a text",
    Tool.SEGMENTATION: "a segmentation",
    Tool.OTHER: "a mark of another kind",
}
"""What a mark that is no RECIST measurement is told to be."""


def length(mm: float | None) -> float | None:
    """A reported length, in mm; None where no axis can have it, which counts as not reported."""
    return mm if mm is not None and math.isfinite(mm) and mm > 0 else None


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept as the file states it. The meaning is free text: nothing of it may be published."""

    scheme: str
    value: str
    meaning: str


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """An object as another one names it; "" for what it leaves out."""

    SOPInstanceUID: str
    SOPClassUID: str = ""
    SeriesInstanceUID: str = ""
    StudyInstanceUID: str = ""


@dataclass(frozen=True, slots=True)
class Bookmark:
    """One annotation of one object, kept whatever becomes of it."""

    report: str
    """SOPInstanceUID of the object that holds it."""
    item: str
    """Where in the object, such as "1.3.2"; the same at every reading."""
    tool: Tool
    carrier: Carrier
    points: tuple[tuple[float, ...], ...] = ()
    """The vertices: (x, y) in pixels, 0-based, pixel centres at integers, as the image is stored; or (x, y, z) in mm,
    LPS. A bidimensional mark has four: both ends of the long axis, both ends of the short axis, as reported."""
    image: str = ""
    """SOPInstanceUID of the image on which it was drawn, "" where the object does not say."""
    frame: int = 1
    """Frame of that image, from 1."""
    frame_of_reference: str = ""
    """FrameOfReferenceUID of points in mm."""
    series: str = ""
    """SeriesInstanceUID, where the object names the series and no image."""
    evidence: tuple[Reference, ...] = ()
    """What the whole object names as its evidence; the same tuple for all of its bookmarks."""
    long_mm: float | None = None
    """Lengths as reported; files carry wrong ones, so they only cross-check the points."""
    short_mm: float | None = None
    finding: Code | None = None
    site: Code | None = None
    tracking_uid: str = ""
    """Links the same lesion over time; "" where the writer's identifiers are known not to."""
    name: str = ""
    """What the writer calls the lesion, where it numbers it; links it over time by its keyed hash and is not kept."""
    label: str = ""
    """The bookmark's number, such as B06."""
    follow_up: str = ""
    """The follow-up set's number, such as F03."""
    reason: Reason | None = None
    """Set where the object alone shows that this is no RECIST measurement."""
    detail: str = ""
    """The reason in words; nothing of the object's own text."""

    @property
    def in_mm(self) -> bool:
        """Whether the points are in the patient's frame."""
        return bool(self.points) and len(self.points[0]) == 3
