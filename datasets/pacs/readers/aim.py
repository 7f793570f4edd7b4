"""AIM 3 and AIM 4 XML (Annotation and Image Markup, as ePAD and the AIM Toolkit write it) to bookmarks.

The two versions name the same things differently and nest them differently, so elements are looked up by name.
Source: NCI's AIM information models 3.0 and 4.0.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element

from datasets.pacs.readers.bookmark import Bookmark, Carrier, Code, Reason, Tool, length
from datasets.pacs.readers.lines import Line, Pair, Point, from_corner, pairs
from datasets.pacs.readers.markup import SCHEMA_TYPE, below, child, name_of, number, value
from datasets.pacs.readers.report import LONG_AXIS, SHORT_AXIS, TO_MM

ROOTS = ("ImageAnnotationCollection", "ImageAnnotation")

_TOOLS = {
    "Circle": (Tool.ELLIPSE, "a circle"),
    "Ellipse": (Tool.ELLIPSE, "an ellipse"),
    "TextAnnotation": (Tool.TEXT, "a text"),
    "Point": (Tool.OTHER, "a point"),
}


@dataclass(frozen=True)
class _Shape:
    """One drawing."""

    kind: str
    """Polyline, MultiPoint, Circle, Ellipse, Point."""
    points: tuple[Point, ...]
    image: str
    frame: int


def studies_of(root: Element) -> set[str]:
    """StudyInstanceUIDs that a document names."""
    studies = below(root, "ImageStudy", "imageStudy")
    return {value(study, "instanceUID") or value(study, "instanceUid") for study in studies} - {""}


def identifier_of(root: Element) -> str:
    """What names the document, "" where nothing does."""
    return value(root, "uniqueIdentifier")


def read_aim(root: Element, report: str, study: str) -> list[Bookmark]:
    """Read the annotations that a document makes on one study.

    A document grows at any place, so an annotation is known by its identifier and content.

    Parameters
    ----------
    report : SOPInstanceUID of the object that holds the document.
    study : StudyInstanceUID; annotations that name another study only are left to that study.
    """
    annotations = [root] if name_of(root) == "ImageAnnotation" else list(below(root, "ImageAnnotation"))
    found: list[Bookmark] = []
    seen: Counter[str] = Counter()
    for annotation in annotations:
        named = studies_of(annotation)
        if named and study not in named:
            continue
        content = f"{value(annotation, 'uniqueIdentifier')}.{_digest(annotation)}"
        seen[content] += 1
        bare = _described(Bookmark(report, f"{content}.{seen[content]}", Tool.OTHER, Carrier.AIM), annotation)
        found += _marks(bare, annotation)
    return found


def _digest(annotation: Element) -> str:
    """Of all that an annotation says, however it is laid out."""
    said = [(each.tag, sorted(each.attrib.items()), (each.text or "").strip()) for each in annotation.iter()]
    return hashlib.sha256(repr(said).encode()).hexdigest()[:16]


def _marks(bare: Bookmark, annotation: Element) -> list[Bookmark]:
    shapes = [_shape(each) for each in below(annotation, "GeometricShape", "MarkupEntity")]
    if not shapes:
        return [_without_shapes(bare, annotation)]
    long_mm, short_mm = _lengths(annotation)
    lines: list[Line] = []
    others: list[Bookmark] = []
    for place, shape in enumerate(shapes, start=1):
        item = f"{bare.item}.{place}"
        if shape.kind in ("Polyline", "MultiPoint") and len(shape.points) in (2, 4) and _is_lines(shape, long_mm):
            for start in range(0, len(shape.points), 2):
                lines.append(Line((shape.points[start], shape.points[start + 1]), shape.image, shape.frame, item))
            continue
        tool, detail = _TOOLS.get(shape.kind, (Tool.OTHER, "a mark of another kind"))
        others.append(
            replace(
                bare, item=item, tool=tool, points=shape.points, image=shape.image, frame=shape.frame,
                reason=Reason.NOT_RECIST, detail=detail,
            )
        )  # fmt: skip
    paired = pairs(lines)
    if len(lines) == 2 and paired[0].short is None and long_mm is not None and short_mm is not None:
        # The file itself says that they are the two axes of one lesion.
        paired = [Pair(lines[0], lines[1])]
    return [_of_lines(bare, pair, long_mm, short_mm) for pair in paired] + others


def _is_lines(shape: _Shape, long_mm: float | None) -> bool:
    """Two points are a line; four are two lines where the drawing is no outline."""
    return len(shape.points) == 2 or shape.kind == "MultiPoint" or long_mm is not None


def _of_lines(bare: Bookmark, pair: Pair, long_mm: float | None, short_mm: float | None) -> Bookmark:
    long, short, alone = pair
    mark = replace(bare, item=long.item, image=long.image, frame=long.frame)
    if short is None:
        return replace(mark, tool=Tool.LINE, points=long.ends, reason=Reason.NOT_RECIST, detail=alone)
    mark = replace(mark, tool=Tool.BIDIMENSIONAL, points=long.ends + short.ends, long_mm=long_mm, short_mm=short_mm)
    if (long.image, long.frame) != (short.image, short.frame):
        detail = "its two axes are drawn on different images"
        return replace(mark, reason=Reason.NOT_RECIST, detail=detail)
    return mark


def _without_shapes(bare: Bookmark, annotation: Element) -> Bookmark:
    if any(True for _ in below(annotation, "SegmentationEntity", "Segmentation")):
        return replace(bare, tool=Tool.SEGMENTATION, reason=Reason.NOT_RECIST, detail="a segmentation")
    if any(True for _ in below(annotation, "TextAnnotation", "TextAnnotationEntity")):
        return replace(bare, tool=Tool.TEXT, reason=Reason.NOT_RECIST, detail="a text")
    return replace(bare, reason=Reason.NOT_RECIST, detail="an annotation that draws nothing")


def _shape(element: Element) -> _Shape:
    kind = element.get(SCHEMA_TYPE, "").rpartition(":")[2].removeprefix("TwoDimension")
    coordinates = list(below(element, "SpatialCoordinate", "TwoDimensionSpatialCoordinate"))
    first = coordinates[0] if coordinates else element
    image = value(element, "imageReferenceUid") or value(first, "imageReferenceUID")
    frame = number(value(element, "referencedFrameNumber") or value(first, "referencedFrameNumber")) or 1
    ordered = sorted(coordinates, key=lambda each: number(value(each, "coordinateIndex")) or 0)
    points = [(number(value(each, "x")), number(value(each, "y"))) for each in ordered]
    whole = [(x, y) for x, y in points if x is not None and y is not None]
    return _Shape(kind, from_corner(whole) if len(whole) == len(points) else (), image, max(1, int(frame)))


def _lengths(annotation: Element) -> tuple[float | None, float | None]:
    """The calculated long and short axis in mm."""
    found: dict[bool, float] = {}
    for calculation in below(annotation, "Calculation", "CalculationEntity"):
        code = _code(calculation)
        concept = next((each for each in (LONG_AXIS, SHORT_AXIS) if code and each.names(code)), None)
        result = next(below(calculation, "CalculationResult"), calculation)
        values = (number(value(each, "value")) for each in (*below(calculation, "CalculationData"), result))
        stated = next((each for each in values if each is not None), None)
        if concept is not None and stated is not None:
            found.setdefault(concept is LONG_AXIS, stated * TO_MM.get(value(result, "unitOfMeasure"), 1.0))
    return length(found.get(True)), length(found.get(False))


def _described(bare: Bookmark, annotation: Element) -> Bookmark:
    site = next(below(annotation, "AnatomicEntity", "ImagingPhysicalEntity"), None)
    finding = next(below(annotation, "ImagingObservation", "ImagingObservationEntity"), None)
    return replace(
        bare,
        site=None if site is None else _code(site),
        finding=None if finding is None else _code(finding),
        tracking_uid=value(annotation, "trackingUniqueIdentifier"),
    )


def _code(element: Element) -> Code | None:
    """AIM 3 writes codes as attributes, AIM 4 as a child `typeCode`."""
    coded = child(element, "typeCode")
    if coded is None:
        names = ("codingSchemeDesignator", "codeValue", "codeMeaning")
        code = Code(*(value(element, name) for name in names))
    else:
        scheme = value(coded, "codeSystemName") or value(coded, "codeSystem")
        code = Code(scheme, value(coded, "code"), value(coded, "displayName"))
    return code if code.value or code.meaning else None
