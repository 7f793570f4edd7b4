"""From single scores to the places of a series' slices: what does not fit is found, named and not passed on.

A line through the scores over the slices' positions shows what single scores cannot: that slices are shuffled, that
the numbering runs from feet to head, that the model does not know this part of the body, or that a few slices (metal,
a half-empty field of view) are off. Where the whole makes no sense, no location is given.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from detection.bodypart.anchor import UNIT_MM
from detection.bodypart.lines import agreement, local_line, mean_difference, rank_correlation, spread, theil_sen

Array = NDArray[np.float64]

FEWEST = 5
"""Slices with a body below which nothing can be checked."""
SHORTEST_MM = 20.0
FEWEST_UNMEASURED = 20
"""The same where the slice interval is unknown: neither length nor slope can be checked then."""
LONG_MM = 100.0
"""Length from which order can be told from a body's own ups and downs."""
SLOPES = (0.4, 2.5)
"""Least and greatest slope in proportion to DeepLesion's 1 per 1,132 mm."""
BEND_MM = 50.0
"""Length over which anatomy's deviations from a line hang together; slices within it are one witness, not many."""
SURE = 3.0
"""Standard errors of the slope from which a series is called reversed."""
FOLLOWING, TURNED = 4.0, 6.0
"""Rise and fall along the series in spreads, from which direction is believed where the slice interval is unknown."""
APART, AT_RANDOM = 3.0, 0.65
"""Mean step between neighbours, in least spreads and in mean steps between any two, from which they are shuffled."""
STRETCHES_MM = (60.0, 100.0)
"""Lengths of body over which the slices must not run against the rest."""
FEWEST_OF_STRETCH, GROUPS = 6, 12
"""Slices that a stretch must hold, and groups of neighbours that they are compared in, by their medians, if more."""
AGAINST = -0.5
"""Agreement of scores and positions from which a stretch runs against the rest: three of four pairs do. A few wrong
slices together turn no more than half of them."""
WINDOW_MM = 100.0
"""Length over which single scores are smoothed along the line."""
WINDOW = 9.0
"""The same in slices, where their distance is unknown."""
OUTLIER = 4.0
"""Spreads from the line beyond which a score is replaced by the line's."""
LEAST_SPREAD = 0.015
"""Anatomy is no straight line: deviations of this size (z) are never outliers."""
GREATEST_SPREAD = 0.06
"""Spread about the line (z) beyond which the scores tell nothing."""
MARGIN = 0.06
"""How far (z) beyond the training slices a place is still believed: lines reach farther than lesions."""


class Finding(StrEnum):
    """What a series showed."""

    FINE = "fine"
    REVERSED = "reversed"
    PARTLY = "partly reversed"
    SHUFFLED = "shuffled"
    UNCLEAR = "unclear"
    UNFAMILIAR = "unfamiliar"
    OUTSIDE = "outside"
    TOO_FEW = "too few"
    EMPTY = "empty"


SENTENCES = {
    Finding.FINE: "Scores follow the slices from head to feet.",
    Finding.REVERSED: "The slices are numbered from feet to head; the locations follow the images.",
    Finding.PARTLY: "Some of the slices run against the others; no location is given.",
    Finding.SHUFFLED: "The slices are out of order; no location is given.",
    Finding.UNCLEAR: "The scores do not follow the slices; no location is given.",
    Finding.UNFAMILIAR: "The slices look unlike what the model learned from, or are noisier; no location is given.",
    Finding.OUTSIDE: "The series lies beyond the part of the body that the model knows; no location is given.",
    Finding.TOO_FEW: "Too few slices, or too short a stretch, to check a location; none is given.",
    Finding.EMPTY: "No slice shows a body; no location is given.",
}


@dataclass(frozen=True)
class SeriesScores:
    """Scores of one series.

    Attributes
    ----------
    numbers : (N,) slice numbers, as they came.
    raw : (N,) the network's scores; NaN on empty slices.
    single : (N,) the same on DeepLesion's scale.
    z : (N,) DeepLesion's scale, smoothed along the line; NaN where unknown.
    outliers : (N,) True where the line's value stands instead of the slice's own.
    slope_mm : body length per mm of the series, 1 where as in DeepLesion, negative where reversed; None if unknown.
    finding, sentence : what the series showed.
    version : of the model.
    """

    numbers: NDArray[np.int64]
    raw: Array
    single: Array
    z: Array
    outliers: NDArray[np.bool_]
    slope_mm: float | None
    finding: Finding
    version: str

    @property
    def sentence(self) -> str:
        return SENTENCES[self.finding]

    def at(self, number: int) -> float | None:
        """z of one slice, or None where it is unknown or no such slice was scored."""
        return self._of(self.z, number)

    def single_at(self, number: int) -> float | None:
        """What one slice says by itself, or None where it shows no body or was not scored."""
        return self._of(self.single, number)

    def _of(self, values: Array, number: int) -> float | None:
        found = values[self.numbers == number]
        return float(found[0]) if len(found) and np.isfinite(found[0]) else None


def judge(
    numbers: NDArray[np.int64],
    raw: Array,
    z: Array,
    familiar: NDArray[np.bool_],
    interval: float | None,
    known: tuple[float, float],
    version: str,
) -> SeriesScores:
    """Fit, smooth and judge the scores of a series.

    Parameters
    ----------
    numbers : (N,) slice numbers, any order, each once.
    raw, z : (N,) scores and their places, NaN on empty slices.
    familiar : (N,) whether each slice is like those that the model learned from.
    interval : mm between slice numbers; None if unknown, then lengths are not checked.
    known : least and greatest z of the training slices.
    """
    usable = np.isfinite(z)
    nothing = np.full(len(z), np.nan)
    outliers = np.zeros(len(z), dtype=bool)

    def result(finding: Finding, slope: float | None = None, places: Array = nothing) -> SeriesScores:
        return SeriesScores(numbers, raw, z, places, outliers, slope, finding, version)

    if not usable.any():
        return result(Finding.EMPTY)
    mm = numbers.astype(np.float64) * (interval or 1.0)
    length = float(np.ptp(mm[usable]))
    if usable.sum() < (FEWEST_UNMEASURED if interval is None else FEWEST) or (interval and length < SHORTEST_MM):
        return result(Finding.TOO_FEW)
    believed = usable & familiar
    if believed.sum() < max(FEWEST, usable.sum() / 2):
        return result(Finding.UNFAMILIAR)
    slope, offset = theil_sen(mm[believed], z[believed])
    line = slope * mm + offset
    noise = max(spread(z[believed] - line[believed]), LEAST_SPREAD)
    relation = rank_correlation(mm[believed], z[believed])
    per_mm = slope * UNIT_MM if interval is not None else None
    if abs(relation) < 0.6 or noise > GREATEST_SPREAD:
        mixed = interval is not None and length >= LONG_MM and _mixed(mm[believed], z[believed])
        return result(Finding.SHUFFLED if mixed else Finding.UNCLEAR, per_mm)
    direction = _direction(slope * length, noise) if per_mm is None else _measured_direction(per_mm, noise, length)
    if direction is Finding.UNCLEAR:
        return result(direction, per_mm)
    # Without an interval the scores themselves say how long the body is that the series shows.
    body = (mm if per_mm is not None else slope * UNIT_MM * mm)[believed]
    against = _against(body if direction is Finding.FINE or per_mm is None else -body, z[believed], noise)
    if against is not None:
        return result(against, per_mm)
    middle = float(np.median(line[believed]))
    if not known[0] - MARGIN <= middle <= known[1] + MARGIN:
        return result(Finding.OUTSIDE, per_mm)
    outliers = usable & ((np.abs(z - line) > OUTLIER * noise) | ~familiar)
    places = line + local_line(mm, z - line, WINDOW_MM if interval is not None else WINDOW, usable & ~outliers)
    beyond = (places < known[0] - MARGIN) | (places > known[1] + MARGIN) | (places < 0) | (places > 1)
    places = np.where(usable & ~beyond, places, np.nan)
    return result(direction, per_mm, places)


def _measured_direction(slope: float, noise: float, length: float) -> Finding:
    """Judge a slope, 1 where as in DeepLesion: short and noisy series have any, and are not called reversed for it."""
    if SLOPES[0] < slope < SLOPES[1]:
        return Finding.FINE
    error = UNIT_MM * noise * math.sqrt(12 / max(length / BEND_MM, 1)) / length
    backwards = SLOPES[0] < -slope < SLOPES[1] and -slope > SURE * error
    return Finding.REVERSED if length >= LONG_MM and backwards else Finding.UNCLEAR


def _direction(rise: float, noise: float) -> Finding:
    """Judge the rise of z along a series whose length is unknown."""
    if rise > FOLLOWING * noise:
        return Finding.FINE
    return Finding.REVERSED if -rise > TURNED * noise else Finding.UNCLEAR


def _against(body: Array, z: Array, noise: float) -> Finding | None:
    """Look for stretches that run against the rest: turned, or too noisy to tell; None where there are none.

    Parameters
    ----------
    body : (N,) positions along the body, in mm, growing as the whole series does.
    """
    order = np.argsort(body)
    body, z = body[order], z[order]
    found: Finding | None = None
    for length in STRETCHES_MM:
        last = max(body[-1] - length, body[0])
        for start in np.append(np.arange(body[0], last, length / 4), last):
            inside = slice(*np.searchsorted(body, [start - 1e-6, start + length + 1e-6]))
            x, y = body[inside], z[inside]
            if len(x) < FEWEST_OF_STRETCH or x[-1] - x[0] < 0.8 * length:
                continue
            groups = np.array_split(np.arange(len(x)), min(len(x), GROUPS))
            places, heights = (np.array([np.median(each[group]) for group in groups]) for each in (x, y))
            if agreement(places, heights) > AGAINST:
                continue
            missing = length / UNIT_MM - theil_sen(places, heights)[0] * length
            if missing > SURE * noise * math.sqrt(12 / max(length / BEND_MM, 1)):
                return Finding.PARTLY
            found = Finding.UNCLEAR
    return found


def _mixed(mm: Array, z: Array) -> bool:
    """Whether the slices are of one body, though neighbours are as far apart as any two: not noise, but disorder."""
    apart = float(np.ptp(mm)) / UNIT_MM
    covered = float(np.ptp(np.quantile(z, [0.05, 0.95])))
    step = float(np.abs(np.diff(z[np.argsort(mm)])).mean())
    return 0.5 * apart < covered < 2 * apart and step > max(APART * LEAST_SPREAD, AT_RANDOM * mean_difference(z))
