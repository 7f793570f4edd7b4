"""The FROC curve of matched detections, and its value at given false-positive rates."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detection.evaluation.overlap import Floats

Ties = Literal["lowest", "highest"]

POINTS = (0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 8.0, 16.0)
"""False positives per image that are reported."""

AVERAGED = (0.5, 1.0, 2.0, 4.0)
"""Their mean is the usual single number."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A FROC curve: one point per distinct score, equal scores being one step whatever their order."""

    false_positives: Floats
    """(P,) per image, ascending."""
    sensitivity: Floats
    """(P,) ascending."""
    thresholds: Floats
    """(P,) score from which detections count, descending."""

    def at(self, points: Sequence[float], ties: Ties = "lowest") -> Floats:
        """Sensitivity at false-positive rates, by linear interpolation.

        Parameters
        ----------
        ties : where several points share a rate, take the lowest or the highest sensitivity among them.

        Left of the first point the curve comes from the origin; right of the last one it stays.
        """
        found = places(self.false_positives, np.asarray(points, dtype=np.float64), ties)
        return found.values(self.sensitivity)


def froc(hit_scores: Floats, false_positive_scores: Floats, images: int) -> Curve:
    """Curve from the score at which each lesion is hit (-inf: never) and the scores of the false positives."""
    hits = hit_scores[hit_scores > -np.inf]
    scores = np.concatenate([false_positive_scores, hits])
    order = np.argsort(-scores)
    ranked = scores[order]
    is_hit = order >= len(false_positive_scores)
    last = steps(ranked)
    hit_count = np.cumsum(is_hit)[last]
    sensitivity = hit_count / max(len(hit_scores), 1)
    return Curve((last + 1 - hit_count) / images, sensitivity, ranked[last])


def thinned(curve: Curve, furthest: float, most: int) -> dict[str, list[float]]:
    """Points for a figure, up to `furthest` false positives per image.

    A curve of few hits keeps the two ends of every step, so that it is drawn as it is; one that would need more than
    `most` points keeps so many, denser where there are few false positives.
    """
    end = max(int(np.searchsorted(curve.false_positives, furthest, side="right")), 1)
    rises = np.flatnonzero(np.diff(curve.sensitivity[:end]))
    rows = np.unique(np.concatenate([[0], rises, rises + 1, [end - 1]]).astype(np.int64))
    if len(rows) > most:
        rows = np.unique(np.geomspace(1, end, most).astype(np.int64)) - 1
    rows = rows[rows < len(curve.thresholds)]
    return {
        "false_positives": [round(float(value), 5) for value in curve.false_positives[rows]],
        "sensitivity": [round(float(value), 5) for value in curve.sensitivity[rows]],
        "score": [round(float(value), 6) for value in curve.thresholds[rows]],
    }


def steps(ranked: Floats) -> NDArray[np.int64]:
    """Index of the last of each group of equal values."""
    if not len(ranked):
        return np.zeros(0, dtype=np.int64)
    return np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)


class Places(NamedTuple):
    """Between which points of a curve rates lie; -1 is the origin."""

    low: NDArray[np.int64]
    high: NDArray[np.int64]
    share: Floats
    """Of the way from low to high."""

    def values(self, y: Floats) -> Floats:
        """Value at each rate of a curve through y (P, ...), which is 0 at the origin."""
        # A zero behind the last point is what index -1 takes.
        padded = np.concatenate([y, np.zeros((1, *y.shape[1:]))])
        low, high = padded[self.low], padded[self.high]
        return np.asarray(low + self.share.reshape(-1, *[1] * (y.ndim - 1)) * (high - low))


def places(x: Floats, at: Floats, ties: Ties) -> Places:
    """Find rates on a curve's ascending x; see `Curve.at`."""
    ends = np.append(0.0, x) if not len(x) or x[0] > 0 else x
    if ties == "lowest":
        right = np.searchsorted(ends, at, side="left")
        left = right - 1
    else:
        left = np.searchsorted(ends, at, side="right") - 1
        right = left + 1
    # Right of the last point the curve stays.
    left = np.where(right >= len(ends), len(ends) - 1, left)
    low, high = np.clip(left, 0, len(ends) - 1), np.clip(right, 0, len(ends) - 1)
    width = ends[high] - ends[low]
    share = np.divide(at - ends[low], width, out=np.zeros(len(at)), where=width > 0)
    origin = len(ends) - len(x)
    return Places(low - origin, high - origin, np.clip(share, 0, 1))
