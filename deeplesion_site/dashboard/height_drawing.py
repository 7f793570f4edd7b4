"""Heights along the series of a lesion, drawn by the server in the little space that a card has."""

from collections.abc import Sequence
from dataclasses import dataclass

from datasets.selectors.said import SaidOfSlice

MOST = 160
"""Dots that can be told apart."""
LEAST_Z = 0.05
"""Heights that the drawing spans at least: of a short series the noise would fill it otherwise."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """SVG paths in a square of 100, head on top; slice numbers and heights at its edges."""

    dots: str
    line: str
    key: float
    first: int
    last: int
    top: float
    bottom: float


def draw(said: Sequence[SaidOfSlice], key: int) -> Drawing | None:
    """Draw single scores as dots, what was made of them as a line, and where the key slice stands; None without
    two slices and a score."""
    heights = [value for each in said for value in (each.score, each.z) if value is not None]
    if len(said) < 2 or not heights:
        return None
    first, last = said[0].slice, said[-1].slice
    spare = max(0.0, LEAST_Z - (max(heights) - min(heights))) / 2
    top, bottom = min(heights) - spare, max(heights) + spare

    def place(number: int, height: float) -> str:
        return f"{100 * (number - first) / (last - first):.1f} {100 * (height - top) / (bottom - top):.1f}"

    some = said[:: max(1, -(-len(said) // MOST))]
    line, pen = [], "M"
    for each in some:
        if each.z is None:
            pen = "M"
            continue
        line.append(f"{pen}{place(each.slice, each.z)}")
        pen = "L"
    return Drawing(
        dots="".join(f"M{place(each.slice, each.score)}h0" for each in some if each.score is not None),
        line="".join(line),
        key=100 * (min(max(key, first), last) - first) / (last - first),
        first=first,
        last=last,
        top=top,
        bottom=bottom,
    )
