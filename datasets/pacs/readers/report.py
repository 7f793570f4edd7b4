"""Structured reports (SR TID 1500 and what resembles it) to bookmarks.

A tolerant walk over the whole tree instead of a template parser: viewers write different templates and leave values
out. A group is any item that holds long or short axes, whatever it calls itself.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property

from pydicom.dataset import Dataset

from datasets.pacs.instance import value_of
from datasets.pacs.readers.bookmark import SHAPES, Bookmark, Carrier, Code, Reason, Reference, Tool, length
from datasets.pacs.readers.content import Concept, Item, items_of, tree
from datasets.pacs.readers.lines import from_corner
from datasets.pacs.readers.numbered import name_in, numbered

LONG_AXIS = Concept.of("SCT 103339001", "SRT G-A185", "SCT 131187009", meanings=("long axis",))
SHORT_AXIS = Concept.of("SCT 103340004", "SRT G-A186", "SCT 131188004", meanings=("short axis",))
LENGTH = Concept.of("SCT 410668003", "SRT G-A22A", "SRT G-D7FE", meanings=("length",))
GROUP = Concept.of("DCM 125007", meanings=("measurement group",))
FINDING = Concept.of("DCM 121071", meanings=("finding",))
FINDING_SITE = Concept.of("SCT 363698007", "SRT G-C0E3", meanings=("finding site",))
TRACKING_IDENTIFIER = Concept.of("DCM 112039", meanings=("tracking identifier",))
TRACKING_UID = Concept.of("DCM 112040", meanings=("tracking unique identifier",))
COMMENT = Concept.of("DCM 121106", meanings=("comment",))
SEGMENT = Concept.of(
    "DCM 121191", "DCM 121214", "DCM 121233", meanings=("referenced segment", "referenced segmentation frame")
)

SEGMENTATION_CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.5")

TO_MM = {"cm": 10.0, "m": 1000.0, "um": 0.001}
"""Units that are believed; any other is taken for mm, because viewers write "1" or "px" over values in mm."""

_TOOL_NAMES = {
    "bidirectional": Tool.BIDIMENSIONAL,
    "arrow": Tool.ARROW,
    "length": Tool.LINE,
    "ellip": Tool.ELLIPSE,
    "circle": Tool.ELLIPSE,
    "text": Tool.TEXT,
    "label": Tool.TEXT,
    "segment": Tool.SEGMENTATION,
}
"""Parts of the tool names that viewers write into the Tracking Identifier."""

_GRAPHICS = {"ELLIPSE": Tool.ELLIPSE, "CIRCLE": Tool.ELLIPSE, "ELLIPSOID": Tool.ELLIPSE}


@dataclass(frozen=True)
class _Line:
    """The coordinates of one measurement."""

    points: tuple[tuple[float, ...], ...] = ()
    image: str = ""
    frame: int = 1
    frame_of_reference: str = ""


@dataclass(frozen=True)
class _Group:
    """An item that holds marks, with what all of them share: it is looked up once, however many there are."""

    item: Item
    by_path: dict[str, Item]

    @cached_property
    def image(self) -> tuple[str, str, int]:
        """Class, instance and frame of the image that stands beside the marks."""
        return _image(self.item, self.by_path) or ("", "", 1)

    @cached_property
    def drawn(self) -> list[_Line]:
        """What is drawn beside the numbers."""
        return [_line_of(child, self) for child in self.item.children if child.type in ("SCOORD", "SCOORD3D")]


def read_report(report: Dataset) -> list[Bookmark]:
    """Read every bookmark of a report; one that says so where there is none."""
    root = tree(report)
    by_path = {item.path: item for item in (root, *root.below())}
    bare = Bookmark(
        report=str(report.SOPInstanceUID), item="", tool=Tool.OTHER, carrier=Carrier.SR, evidence=_evidence(report)
    )
    found: list[Bookmark] = []
    for item in by_path.values():
        if (axes := _pairs(item)) and not _is_of_segment(item):
            group, described = _Group(item, by_path), _described(bare, item)
            found += [_bidimensional(described, group, long, short) for long, short in axes]
        elif _is_other_mark(item):
            found.append(_other(bare, _Group(item, by_path)))
    if not found:
        detail = "the report holds no measurement that is read"
        found.append(replace(bare, reason=Reason.UNSUPPORTED_OBJECT, detail=detail))
    # A name that several marks of one report have is none of a lesion.
    often = Counter(mark.name for mark in found)
    return [replace(mark, name="") if often[mark.name] > 1 else mark for mark in found]


def _pairs(item: Item) -> list[tuple[Item | None, Item | None]]:
    """Long and short axes that stand directly in an item, the first with the first."""
    longs = [child for child in item.named(LONG_AXIS) if child.type in ("NUM", "")]
    shorts = [child for child in item.named(SHORT_AXIS) if child.type in ("NUM", "")]
    count = max(len(longs), len(shorts))
    return [(longs[i] if i < len(longs) else None, shorts[i] if i < len(shorts) else None) for i in range(count)]


def _is_of_segment(item: Item) -> bool:
    """A group that measures a segment and draws nothing itself."""
    below = list(item.below())
    return any(SEGMENT.names(each.name) for each in below) and not any(each.points for each in below)


def _is_other_mark(item: Item) -> bool:
    """A measurement group, or a container that draws something itself, but holds no axes."""
    if GROUP.names(item.name):
        return True
    drawn = [child for child in item.children if child.type in ("SCOORD", "SCOORD3D")]
    measured = [
        child
        for child in item.children
        if child.type == "NUM" and any(below.type in ("SCOORD", "SCOORD3D") for below in child.children)
    ]
    return item.type == "CONTAINER" and bool(drawn or measured)


def _bidimensional(described: Bookmark, group: _Group, long: Item | None, short: Item | None) -> Bookmark:
    place = long or short or group.item
    mark = replace(described, item=place.path, tool=Tool.BIDIMENSIONAL)
    if long is None or short is None:
        return replace(mark, reason=Reason.NOT_RECIST, detail="only one of the two axes is measured")
    mark = replace(mark, long_mm=_millimetres(long), short_mm=_millimetres(short))
    lines = [_line(axis, group) for axis in (long, short)]
    if not any(line.points for line in lines) and len(group.drawn) == 2:
        # Some writers draw both axes beside the numbers instead of below them.
        lines = group.drawn
    first, second = lines
    mark = replace(
        mark,
        points=first.points + second.points,
        image=first.image or second.image,
        frame=first.frame if first.image else second.frame,
        frame_of_reference=first.frame_of_reference or second.frame_of_reference,
    )
    if len(first.points) != 2 or len(second.points) != 2:
        return replace(mark, points=(), reason=Reason.NOT_RECIST, detail="an axis is not a line of two points")
    if len({len(point) for point in mark.points}) != 1:
        return replace(mark, points=(), reason=Reason.NOT_RECIST, detail="one axis is in pixels, the other in mm")
    if first.image and second.image and (first.image, first.frame) != (second.image, second.frame):
        detail = "its two axes are drawn on different images"
        return replace(mark, reason=Reason.NOT_RECIST, detail=detail)
    return mark


def _other(bare: Bookmark, group: _Group) -> Bookmark:
    """A mark that is no RECIST measurement."""
    tool = _tool(group.item)
    drawn = next((item for item in group.item.below() if item.type in ("SCOORD", "SCOORD3D") and item.points), None)
    line = _line_of(drawn, group) if drawn else _line(group.item, group)
    return replace(
        _described(bare, group.item),
        item=group.item.path,
        tool=tool,
        points=line.points,
        image=line.image,
        frame=line.frame,
        frame_of_reference=line.frame_of_reference,
        reason=Reason.NOT_RECIST,
        detail=SHAPES[tool],
    )


def _tool(group: Item) -> Tool:
    identifier = _identifier(group)
    if _is_tool_name(identifier):
        name = identifier.rpartition(":")[2].lower()
        return next((tool for part, tool in _TOOL_NAMES.items() if part in name), Tool.OTHER)
    below = list(group.below())
    if any(SEGMENT.names(item.name) or item.reference[0] in SEGMENTATION_CLASSES for item in below):
        return Tool.SEGMENTATION
    graphics = {item.graphic_type for item in below if item.type in ("SCOORD", "SCOORD3D")}
    for graphic, tool in _GRAPHICS.items():
        if graphic in graphics:
            return tool
    measured = any(item.type == "NUM" for item in below)
    if any(len(item.points) == 2 for item in below if item.graphic_type == "POLYLINE"):
        # Two points that measure nothing point at something.
        return Tool.LINE if measured else Tool.ARROW
    if group.named(LENGTH):
        return Tool.LINE
    texts = [item for item in group.named(FINDING, COMMENT) if item.type == "TEXT"]
    return Tool.TEXT if texts and not measured else Tool.OTHER


def _described(bare: Bookmark, group: Item) -> Bookmark:
    """Take over what the group says about the lesion."""
    identifier = _identifier(group)
    uid = next((item.text for item in group.named(TRACKING_UID)), "")
    return replace(
        bare,
        finding=_coded(group, FINDING),
        site=_coded(group, FINDING_SITE),
        tracking_uid="" if _is_tool_name(identifier) else uid,
        name="" if _is_tool_name(identifier) else name_in(identifier),
        label=numbered("B", identifier),
        follow_up=numbered("F", identifier),
    )


def _identifier(group: Item) -> str:
    return next((item.text for item in group.named(TRACKING_IDENTIFIER)), "")


def _is_tool_name(identifier: str) -> bool:
    """OHIF states its tool here, with a fresh Tracking UID at every save: neither links lesions."""
    return identifier.lower().startswith("cornerstone")


def _coded(group: Item, concept: Concept) -> Code | None:
    for item in group.named(concept):
        if item.type == "TEXT" and item.text:
            return Code("", "", item.text)
        if item.code.value or item.code.meaning:
            return item.code
    return None


def _millimetres(axis: Item) -> float | None:
    if axis.number is None:
        return None
    value, unit = axis.number
    return length(value * TO_MM.get(unit.value, 1.0))


def _line(axis: Item, group: _Group) -> _Line:
    """The coordinates from which an axis was inferred, with the image from wherever it is named."""
    for item in axis.below():
        if item.type in ("SCOORD", "SCOORD3D"):
            return _line_of(item, group)
    _, image, frame = _image(axis, group.by_path) or group.image
    return _Line(image=image, frame=frame)


def _line_of(item: Item, group: _Group) -> _Line:
    _, image, frame = _image(item, group.by_path) or group.image
    if item.type == "SCOORD3D":
        frame_of_reference = str(value_of(item.dataset, "ReferencedFrameOfReferenceUID") or "")
        return _Line(tuple(item.points), image, frame, frame_of_reference)
    return _Line(from_corner(item.points), image, frame)


def _image(item: Item, by_path: dict[str, Item]) -> tuple[str, str, int] | None:
    """The image directly below an item, itself or by reference to its place in the tree."""
    for child in item.children:
        place = value_of(child.dataset, "ReferencedContentItemIdentifier")
        if place is not None:
            numbers = place if hasattr(place, "__iter__") else [place]
            child = by_path.get(".".join(str(number) for number in numbers), child)
        if child.type == "IMAGE" and child.reference[0] not in SEGMENTATION_CLASSES and child.reference[1]:
            return child.reference
    return None


def _evidence(report: Dataset) -> tuple[Reference, ...]:
    """The instances that the report names as evidence, sorted."""
    named = {
        Reference(
            _uid(instance, "ReferencedSOPInstanceUID"),
            _uid(instance, "ReferencedSOPClassUID"),
            _uid(series, "SeriesInstanceUID"),
            _uid(study, "StudyInstanceUID"),
        )
        for keyword in ("CurrentRequestedProcedureEvidenceSequence", "PertinentOtherEvidenceSequence")
        for study in items_of(report, keyword)
        for series in items_of(study, "ReferencedSeriesSequence")
        for instance in items_of(series, "ReferencedSOPSequence")
    }
    return tuple(sorted(each for each in named if each.SOPInstanceUID))


def _uid(dataset: Dataset, keyword: str) -> str:
    return str(value_of(dataset, keyword) or "").strip(" \0")
