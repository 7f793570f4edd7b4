"""Everything that is reported about one set of detections, ready for JSON."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from detection.evaluation import bootstrap, strata
from detection.evaluation.curve import AVERAGED, POINTS, Ties, thinned
from detection.evaluation.matching import Convention, Match, match
from detection.evaluation.overlap import Floats
from detection.evaluation.tables import Detections, Truth

DRAWN_POINTS = 200
"""Points that a figure of the curve needs."""


def report(
    truth: Truth,
    found: Detections,
    *,
    iou: float = 0.5,
    convention: Convention = "deeplesion",
    ties: Ties = "lowest",
    points: Sequence[float] = POINTS,
    repeats: int = 1000,
    seed: int = 0,
) -> dict[str, Any]:
    """FROC of all lesions, by type, by size and by overlap threshold, with patient-level bands.

    Parameters
    ----------
    repeats : draws of patients for the 95% bands; 0 leaves the bands out. Lesions of a single patient have none,
        nor have those that no draw holds.
    """
    matched = match(truth, found, iou, convention)
    curve = strata.curve_of(truth, found, matched)
    content: dict[str, Any] = {
        "convention": convention,
        "iou": iou,
        "interpolation": ties,
        "images": len(truth.names),
        "patients": len(np.unique(truth.patients)),
        "lesions": len(truth.boxes),
        "detections": len(found.scores),
        "ignored_detections": found.ignored,
        **strata.summary(curve, points, ties),
    }
    content |= strata.by_stratum(truth, found, matched, points, ties)
    if repeats:
        averages = _add_bands(content, truth, found, matched, points, repeats=repeats, seed=seed, ties=ties)
        content["bootstrap"] = {
            "repeats": repeats, "seed": seed, "unit": "patient", "level": 0.95,
            # Two reports on the same patients are compared draw by draw, see `bootstrap.difference`.
            "average_sensitivity": [round(float(value), 6) for value in averages],
        }  # fmt: skip
    content["by_iou"] = {}
    for name, at_iou, part in strata.by_threshold(truth, found, points, convention, ties):
        if repeats and content["patients"] > 1:
            values = bootstrap.resample(
                truth, found, at_iou, [*points, *AVERAGED], repeats=repeats, seed=seed, ties=ties
            )
            part["bands"] = bands(values, points)
        content["by_iou"][name] = part
    content["curve"] = thinned(curve, 2 * max(points), DRAWN_POINTS)
    return content


def _add_bands(
    content: dict[str, Any], truth: Truth, found: Detections, matched: Match, points: Sequence[float],
    *, repeats: int, seed: int, ties: Ties,
) -> Floats:  # fmt: skip
    """Give all lesions and every stratum their bands, from the same draws; returns the averages of all lesions."""
    parts = [(content, np.ones(len(truth.boxes), dtype=np.bool_))]
    for family, masks in strata.strata(truth).items():
        parts += [(content[family][name], mask) for name, mask in masks.items()]
    groups = np.stack([mask for _, mask in parts])
    values = bootstrap.resample_groups(
        truth, found, matched, groups, [*points, *AVERAGED], repeats=repeats, seed=seed, ties=ties
    )
    averages = values[:, len(points) :].mean(axis=1)
    for (part, mask), own in zip(parts, values.transpose(2, 0, 1), strict=True):
        # Draws of a single patient are all alike: a band of no width would say that the figure is certain.
        several = len(np.unique(truth.patients[truth.image[mask]])) > 1
        # A draw of few may hold none of these lesions; where none does, nothing is known of the band.
        if several and np.isfinite(own).any():
            part["bands"] = bands(own, points)
    return np.asarray(averages[:, 0])


def bands(values: Floats, points: Sequence[float]) -> dict[str, Any]:
    """Say the 95% bands of sensitivity and of its usual average.

    Parameters
    ----------
    values : (repeats, len(points) + len(AVERAGED)) sensitivity in every draw at the points, then at those averaged.
    """
    low, high = bootstrap.band(values[:, : len(points)])
    mean_low, mean_high = bootstrap.band(values[:, len(points) :].mean(axis=1, keepdims=True))
    pairs = zip(points, low, high, strict=True)
    return {
        "sensitivity": {f"{point:g}": [round(float(a), 6), round(float(b), 6)] for point, a, b in pairs},
        "average_sensitivity": [round(float(mean_low[0]), 6), round(float(mean_high[0]), 6)],
    }
