"""Lines that a viewer drew one by one, put together: two that cross on one image are a bidimensional measurement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from datasets.geometry import recist
from datasets.pacs.readers.bookmark import SHAPES, Tool

Point = tuple[float, ...]

CORNER_PX = 0.5
"""Coordinates of SR, GSPS and AIM count from the corner of the first pixel; its centre lies half a pixel further.
Source: DICOM PS3.3 C.10.5.1.2 and C.18.6.1.2, after which AIM's model is made."""

SLACK = 0.05
"""How far beyond its ends, as a share of its length, a line may meet the other: hardly, since nothing else says that
they belong together."""


MOST_LINES = 200
"""Nobody draws a hundred measurements on one image; and every line is held against every other one."""

CROWD = f"one of more than {MOST_LINES} lines on its image, which are not told apart"


@dataclass(frozen=True, slots=True)
class Line:
    """Two points on an image."""

    ends: tuple[Point, Point]
    image: str
    frame: int
    item: str
    """Where in the object it is drawn."""


class Pair(NamedTuple):
    """Two lines that belong together, the longer one first, or one alone."""

    long: Line
    short: Line | None
    alone: str = SHAPES[Tool.LINE]
    """What a line alone is told to be."""


def from_corner(points: Sequence[Point]) -> tuple[Point, ...]:
    """Move coordinates that count from the first pixel's corner to those that count from its centre."""
    return tuple((x - CORNER_PX, y - CORNER_PX) for x, y, *_ in points)


def pairs(lines: Sequence[Line]) -> list[Pair]:
    """Put lines together that cross each other and no third line; the others come alone, as do those of a crowd.

    Images come in the order of their first line; a line that is drawn once more comes behind all others.
    """
    once: dict[object, Line] = {}
    again = [line for line in lines if once.setdefault(_drawn(line), line) is not line]
    by_image: dict[tuple[str, int], list[Line]] = {}
    for line in once.values():
        by_image.setdefault((line.image, line.frame), []).append(line)
    found: list[Pair] = []
    for together in by_image.values():
        found += _paired(together) if len(together) <= MOST_LINES else [Pair(line, None, CROWD) for line in together]
    return found + [Pair(line, None) for line in again]


def _paired(lines: list[Line]) -> list[Pair]:
    crossing = _crossings(lines)
    found: list[Pair] = []
    for i, line in enumerate(lines):
        partner = crossing[i][0] if len(crossing[i]) == 1 and len(crossing[crossing[i][0]]) == 1 else None
        if partner is None:
            found.append(Pair(line, None))
        elif partner > i:
            found.append(_longer_first(line, lines[partner]))
    return found


def _drawn(line: Line) -> object:
    """The same for a line that is drawn twice, from whichever end."""
    return line.image, line.frame, frozenset(tuple(round(number, 1) for number in end) for end in line.ends)


def _crossings(lines: Sequence[Line]) -> list[list[int]]:
    """For each line on one image, the others that cross it. Two that share an end are an angle."""
    ends = np.array([line.ends for line in lines], dtype=np.float64).reshape(-1, 2, 2)
    lengths = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=-1)
    sound = np.asarray(np.isfinite(ends).all(axis=(1, 2)))
    found = []
    for i in range(len(lines)):
        first = np.broadcast_to(ends[i], ends.shape)
        met = np.asarray(recist.cross(np.concatenate([first, ends], axis=1), SLACK) & sound & sound[i])
        apart = np.linalg.norm(ends[:, :, None] - ends[i], axis=-1).min(axis=(1, 2))
        met &= apart > SLACK * np.minimum(lengths, lengths[i])
        found.append([int(j) for j in np.flatnonzero(met) if j != i])
    return found


def _longer_first(one: Line, other: Line) -> Pair:
    lengths = recist.diameters(np.array([*one.ends, *other.ends], dtype=np.float64))
    return Pair(one, other) if lengths[0] >= lengths[1] else Pair(other, one)
