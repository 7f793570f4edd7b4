"""Lines that a viewer drew one by one, put together: two that cross on one image are a bidimensional measurement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from datasets.geometry import recist

Point = tuple[float, ...]

CORNER_PX = 0.5
"""Coordinates of SR, GSPS and AIM count from the corner of the first pixel; its centre lies half a pixel further.
Source: DICOM PS3.3 C.10.5.1.2 and C.18.6.1.2, after which AIM's model is made."""

SLACK = 0.05
"""How far beyond its ends, as a share of its length, a line may meet the other: hardly, since nothing else says that
they belong together."""


@dataclass(frozen=True, slots=True)
class Line:
    """Two points on an image."""

    ends: tuple[Point, Point]
    image: str
    frame: int
    item: str
    """Where in the object it is drawn."""


def from_corner(points: Sequence[Point]) -> tuple[Point, ...]:
    """Move coordinates that count from the first pixel's corner to those that count from its centre."""
    return tuple((x - CORNER_PX, y - CORNER_PX) for x, y, *_ in points)


def pairs(lines: Sequence[Line]) -> list[tuple[Line, Line | None]]:
    """Put lines together that cross each other and no third line; the others come alone.

    The longer line of a pair comes first. A line that is drawn once more comes alone, behind the others.
    """
    once: dict[object, Line] = {}
    again = [line for line in lines if once.setdefault(_drawn(line), line) is not line]
    lines = list(once.values())
    crossing = _crossings(lines)
    found: list[tuple[Line, Line | None]] = []
    for i, line in enumerate(lines):
        partner = crossing[i][0] if len(crossing[i]) == 1 and len(crossing[crossing[i][0]]) == 1 else None
        if partner is None:
            found.append((line, None))
        elif partner > i:
            found.append(_longer_first(line, lines[partner]))
    return found + [(line, None) for line in again]


def _drawn(line: Line) -> object:
    """The same for a line that is drawn twice, from whichever end."""
    return line.image, line.frame, frozenset(tuple(round(number, 1) for number in end) for end in line.ends)


def _crossings(lines: Sequence[Line]) -> list[list[int]]:
    """For each line, the others on its image that cross it. Two that share an end are an angle."""
    ends = np.array([line.ends for line in lines], dtype=np.float64).reshape(-1, 2, 2)
    lengths = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=-1)
    sound = np.asarray(np.isfinite(ends).all(axis=(1, 2)))
    found = []
    for i, line in enumerate(lines):
        first = np.broadcast_to(ends[i], ends.shape)
        met = np.asarray(recist.cross(np.concatenate([first, ends], axis=1), SLACK) & sound & sound[i])
        apart = np.linalg.norm(ends[:, :, None] - ends[i], axis=-1).min(axis=(1, 2))
        met &= apart > SLACK * np.minimum(lengths, lengths[i])
        others = (int(j) for j in np.flatnonzero(met) if j != i)
        found.append([j for j in others if (lines[j].image, lines[j].frame) == (line.image, line.frame)])
    return found


def _longer_first(one: Line, other: Line) -> tuple[Line, Line]:
    lengths = recist.diameters(np.array([*one.ends, *other.ends], dtype=np.float64))
    return (one, other) if lengths[0] >= lengths[1] else (other, one)
