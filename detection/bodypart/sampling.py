"""Equidistant slices out of a series, which may have gaps.

A release holds the slices around lesions alone, so a series is often several stretches with nothing between. Where an
equidistant place falls into a gap, the nearest slice takes part instead, and the true distances go with the sample:
without such samples nothing would tie the pelvis to the abdomen.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SHORTEST = 0.5
"""Least part of a series that a sample spans: closer slices hardly differ, and a loss on them teaches noise."""


@dataclass(frozen=True)
class Sample:
    """Slices of one series, from head to feet.

    Attributes
    ----------
    at : (count,) indices into the series' slices.
    gaps : (count - 1,) distances between neighbours, in the unit of the positions.
    """

    at: NDArray[np.int64]
    gaps: NDArray[np.float32]


def draw(mm: NDArray[np.float64], count: int, random: np.random.Generator) -> Sample:
    """Draw slices at (nearly) equal distances, with random start and step.

    Parameters
    ----------
    mm : ascending positions of the slices, at least `count` of them.
    count : slices to draw.
    """
    length = mm[-1] - mm[0]
    span = length * random.uniform(SHORTEST, 1.0)
    start = mm[0] + random.uniform(0.0, length - span)
    places = np.linspace(start, start + span, count)
    right = np.clip(np.searchsorted(mm, places), 1, len(mm) - 1)
    at = np.where(places - mm[right - 1] < mm[right] - places, right - 1, right)
    # Places that share a slice move on to the next free ones, up and, where the series ends, down again.
    steps = np.arange(count)
    at = np.maximum.accumulate(at - steps) + steps
    at = np.minimum(at, len(mm) - count + steps)
    gaps = np.diff(mm[at])
    return Sample(at.astype(np.int64), gaps.astype(np.float32))
