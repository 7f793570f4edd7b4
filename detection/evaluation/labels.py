"""Where the score of a box is written so that it can be read: within the picture, and on no other score."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

RISE = 0.65
"""Share of a line between the top of a box and the foot of what is written beside it."""


class Frame(NamedTuple):
    """Left, top, right and lower edge."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True)
class Label:
    """Where the text beside a box begins or ends."""

    x: float
    y: float
    """Of the foot of its letters."""
    anchor: Literal["start", "end"]


def place(
    boxes: Sequence[Frame], at_foot: Sequence[bool], picture: Frame, *, width: float, height: float
) -> list[Label]:
    """Write one text beside each box: right of it, left of it where there is no room, else at the picture's edge.

    Parameters
    ----------
    at_foot : whether a text stands at the lower end of its box instead of the upper one.
    picture : what is shown.
    width, height : of a text and the line it stands on, in the frame of the boxes.

    Returns
    -------
    One label per box; one that would lie on an earlier one is moved down, or up where the picture ends.
    """
    placed: list[Label] = []
    for box, low in zip(boxes, at_foot, strict=True):
        x, anchor = _beside(box, picture, width, height / 5)
        start = min(max(box.y2 if low else box.y1 + RISE * height, picture.y1 + height), picture.y2 - height / 5)
        lines = int((picture.y2 - picture.y1) / height)
        steps = [*range(lines), *range(-1, -lines, -1)]
        rows = [start + step * height for step in steps if picture.y1 + height <= start + step * height <= picture.y2]
        free = (row for row in rows if not any(_meet(Label(x, row, anchor), each, width, height) for each in placed))
        placed.append(Label(x, next(free, start), anchor))
    return placed


def _beside(box: Frame, picture: Frame, width: float, gap: float) -> tuple[float, Literal["start", "end"]]:
    if box.x2 + gap + width <= picture.x2:
        return max(box.x2, picture.x1) + gap, "start"
    if box.x1 - gap - width >= picture.x1:
        return min(box.x1, picture.x2) - gap, "end"
    return picture.x2 - gap, "end"


def _meet(first: Label, second: Label, width: float, height: float) -> bool:
    left, other = (each.x if each.anchor == "start" else each.x - width for each in (first, second))
    return abs(left - other) < width and abs(first.y - second.y) < height
