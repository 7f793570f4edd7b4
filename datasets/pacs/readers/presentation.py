"""Presentation states (GSPS and its kin) to bookmarks: lines, texts and shapes that many PACS store this way.

Source: DICOM PS3.3 C.10.5, C.10.12.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pydicom.dataset import Dataset

from datasets.pacs.instance import value_of
from datasets.pacs.readers.bookmark import SHAPES, Bookmark, Carrier, Reason, Tool
from datasets.pacs.readers.content import items_of
from datasets.pacs.readers.lines import Line, Pair, Point, from_corner, pairs

_COMPOUND = {"ARROW": Tool.ARROW, "ELLIPSE": Tool.ELLIPSE, "RULER": Tool.LINE, "RANGELINE": Tool.LINE}


@dataclass(frozen=True)
class _Place:
    """The image of an annotation."""

    image: str = ""
    frame: int = 1
    trouble: str = ""
    """Why there is not one image."""


def read_presentation(state: Dataset) -> list[Bookmark]:
    """Read every drawing of a presentation state; none where it sets windows and zoom alone."""
    bare = Bookmark(report=str(state.SOPInstanceUID), item="", tool=Tool.OTHER, carrier=Carrier.PR)
    everywhere = [
        image
        for series in items_of(state, "ReferencedSeriesSequence")
        for image in items_of(series, "ReferencedImageSequence")
    ]
    lines: list[Line] = []
    places: dict[str, _Place] = {}
    found: list[Bookmark] = []
    for number, annotation in enumerate(items_of(state, "GraphicAnnotationSequence"), start=1):
        place = _place(items_of(annotation, "ReferencedImageSequence") or everywhere)
        drawn = False
        for item, drawing, tool in _drawings(annotation, number):
            drawn = True
            mark = replace(bare, item=item, tool=tool, image=place.image, frame=place.frame)
            points = _points(drawing)
            if points is None:
                detail = "drawn in units of the display, not of the image"
                found.append(replace(mark, reason=Reason.UNSUPPORTED_OBJECT, detail=detail))
            elif tool is Tool.LINE and len(points) == 2:
                places[item] = place
                lines.append(Line((points[0], points[1]), place.image, place.frame, item))
            else:
                found.append(replace(mark, points=points, reason=Reason.NOT_RECIST, detail=SHAPES[tool]))
        if not drawn and _says_something(annotation):
            found.append(_text(bare, annotation, number, place))
    found += [_of_lines(bare, pair, places[pair.long.item]) for pair in pairs(lines)]
    return sorted(found, key=lambda bookmark: [int(part) for part in bookmark.item.split(".")])


def _of_lines(bare: Bookmark, pair: Pair, place: _Place) -> Bookmark:
    long, short, alone = pair
    mark = replace(
        bare,
        item=long.item,
        tool=Tool.BIDIMENSIONAL if short else Tool.LINE,
        points=long.ends + (short.ends if short else ()),
        image=long.image,
        frame=long.frame,
    )
    if short is None:
        return replace(mark, reason=Reason.NOT_RECIST, detail=alone)
    if place.trouble:
        return replace(mark, reason=Reason.UNSUPPORTED_OBJECT, detail=place.trouble)
    return mark


def _text(bare: Bookmark, annotation: Dataset, number: int, place: _Place) -> Bookmark:
    """A text alone; with an anchor point that is shown, it points at something."""
    texts = items_of(annotation, "TextObjectSequence")
    pointing = any(str(value_of(each, "AnchorPointVisibility") or "") == "Y" for each in texts)
    tool = Tool.ARROW if pointing else Tool.TEXT
    return replace(
        bare,
        item=f"{number}.0",
        tool=tool,
        image=place.image,
        frame=place.frame,
        reason=Reason.NOT_RECIST,
        detail=SHAPES[tool],
    )


def _drawings(annotation: Dataset, number: int) -> Iterator[tuple[str, Dataset, Tool]]:
    graphics = items_of(annotation, "GraphicObjectSequence")
    compounds = items_of(annotation, "CompoundGraphicSequence")
    # A compound graphic comes along with plain ones that draw the same for those who do not know it.
    hidden = {_identifier(each) for each in compounds} - {None}
    place = 0
    for graphic in graphics:
        place += 1
        if _identifier(graphic) not in hidden:
            yield f"{number}.{place}", graphic, _tool(graphic)
    for compound in compounds:
        place += 1
        kind = str(value_of(compound, "CompoundGraphicType") or "").upper()
        yield f"{number}.{place}", compound, _COMPOUND.get(kind, Tool.OTHER)


def _identifier(graphic: Dataset) -> int | None:
    value = value_of(graphic, "CompoundGraphicInstanceID")
    return int(value) if isinstance(value, int) else None


def _tool(graphic: Dataset) -> Tool:
    kind = str(value_of(graphic, "GraphicType") or "").upper()
    if kind in ("CIRCLE", "ELLIPSE"):
        return Tool.ELLIPSE
    if kind == "POLYLINE" and len(_numbers(graphic)) == 4:
        return Tool.LINE
    return Tool.OTHER


def _points(graphic: Dataset) -> tuple[Point, ...] | None:
    """The vertices, 0-based, pixel centres at integers; None where they are not in the image's pixels."""
    units = value_of(graphic, "GraphicAnnotationUnits") or value_of(graphic, "CompoundGraphicUnits")
    if str(units or "PIXEL").upper() != "PIXEL":
        return None
    numbers = _numbers(graphic)
    return from_corner(list(zip(numbers[::2], numbers[1::2], strict=False)))


def _numbers(graphic: Dataset) -> list[float]:
    try:
        return [float(number) for number in value_of(graphic, "GraphicData") or ()]
    except (TypeError, ValueError):
        return []


def _place(images: list[Dataset]) -> _Place:
    if len(images) != 1:
        return _Place(trouble="drawn on several images at once" if images else "it names no image")
    frames = value_of(images[0], "ReferencedFrameNumber")
    try:
        frame = int(frames[0] if hasattr(frames, "__getitem__") else frames or 1)
    except (TypeError, ValueError, IndexError):
        frame = 1
    return _Place(str(value_of(images[0], "ReferencedSOPInstanceUID") or ""), frame)


def _says_something(annotation: Dataset) -> bool:
    return any(value_of(each, "UnformattedTextValue") for each in items_of(annotation, "TextObjectSequence"))
