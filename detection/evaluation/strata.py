"""Sensitivity by lesion type (Fig. 9), by size (Fig. 10) and by overlap threshold (Fig. 11).

False positives are those of all types and sizes, as the network names neither.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.data.table import TYPES
from detection.evaluation.curve import AVERAGED, Curve, Ties, froc, thinned
from detection.evaluation.matching import Convention, Match, match
from detection.evaluation.tables import Detections, Truth

SIZE_EDGES_MM = (10, 15, 20, 25, 30, 40, 50)
"""Of the mean of both diameters; a bin holds its lower edge."""

DRAWN_POINTS = 60
"""Points that a figure of many curves needs of each."""

THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
"""Overlaps of Fig. 11."""


def size_labels() -> list[str]:
    """Names of the size bins in mm, small to large."""
    inner = [f"{low}-{high}" for low, high in pairwise(SIZE_EDGES_MM)]
    return [f"<{SIZE_EDGES_MM[0]}", *inner, f">={SIZE_EDGES_MM[-1]}"]


def strata(truth: Truth) -> dict[str, dict[str, NDArray[np.bool_]]]:
    """Lesions of each type and of each size that occur, as masks over the lesions."""
    sizes = np.digitize(truth.sizes, SIZE_EDGES_MM)
    by_type = {name: truth.types == code for code, name in TYPES.items()}
    by_size = {label: sizes == number for number, label in enumerate(size_labels())}
    return {
        "by_type": {name: mask for name, mask in by_type.items() if mask.any()},
        "by_size": {name: mask for name, mask in by_size.items() if mask.any()},
    }


def curve_of(truth: Truth, found: Detections, matched: Match, lesions: NDArray[np.bool_] | None = None) -> Curve:
    """FROC curve of all lesions, or of some of them against the false positives of all."""
    hit_scores = matched.hit_scores if lesions is None else matched.hit_scores[lesions]
    return froc(hit_scores, found.scores[matched.false_positive], len(truth.names))


def by_stratum(
    truth: Truth, found: Detections, matched: Match, points: Sequence[float], ties: Ties
) -> dict[str, dict[str, Any]]:
    """Number of lesions and of their patients, sensitivity, and the curve for a figure, per type and per size."""
    content: dict[str, dict[str, Any]] = {}
    for family, masks in strata(truth).items():
        content[family] = {}
        for name, mask in masks.items():
            curve = curve_of(truth, found, matched, mask)
            drawn = thinned(curve, 2 * max(points), DRAWN_POINTS)
            content[family][name] = {
                "lesions": int(mask.sum()),
                "patients": len(np.unique(truth.patients[truth.image[mask]])),
                **summary(curve, points, ties),
                "curve": {axis: drawn[axis] for axis in ("false_positives", "sensitivity")},
            }
    return content


def by_threshold(
    truth: Truth, found: Detections, points: Sequence[float], convention: Convention, ties: Ties
) -> Iterator[tuple[str, Match, dict[str, Any]]]:
    """Each overlap threshold with what hits at it, and sensitivity."""
    for iou in THRESHOLDS:
        matched = match(truth, found, iou, convention)
        yield f"{iou:g}", matched, summary(curve_of(truth, found, matched), points, ties)


def summary(curve: Curve, points: Sequence[float], ties: Ties) -> dict[str, Any]:
    """Sensitivity at the points and the usual average."""
    values = curve.at(points, ties)
    return {
        "sensitivity": {f"{point:g}": round(float(value), 6) for point, value in zip(points, values, strict=True)},
        "average_sensitivity": round(float(curve.at(AVERAGED, ties).mean()), 6),
    }
