"""Confidence bands by drawing patients with replacement, as lesions of one patient are not independent."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detection.evaluation.curve import AVERAGED, Ties, froc, places, steps
from detection.evaluation.matching import Match
from detection.evaluation.overlap import Floats
from detection.evaluation.tables import Detections, Ints, Truth

MARGIN = 1.5
"""Detections beyond so many times the last reported rate cannot matter; a draw that needs them after all gets them."""


@dataclass(frozen=True, slots=True)
class Events:
    """Hits and false positives, surest first."""

    patient: Ints
    """(E,) index into the sorted patients."""
    is_hit: NDArray[np.bool_]
    last: Ints
    """(P,) last event of each distinct score."""
    hits: Ints
    """(H,) events that are hits."""
    groups: Floats
    """(H, S) 1 where a hit's lesion belongs to a group, else 0."""
    images_of: Floats
    """(Q,) images of each patient."""
    lesions_of: Floats
    """(Q, S) lesions of each patient and group."""


def events(truth: Truth, found: Detections, match: Match, groups: NDArray[np.bool_]) -> Events:
    """Line up what a FROC curve counts, with the patient behind each; `groups` (S, G) tells the lesions of each."""
    patients, of_image = np.unique(truth.patients, return_inverse=True)
    hit = match.hit_scores > -np.inf
    wrong = match.false_positive
    scores = np.concatenate([found.scores[wrong], match.hit_scores[hit]])
    patient = np.concatenate([of_image[found.image[wrong]], of_image[truth.image[hit]]])
    order = np.argsort(-scores)
    is_hit = order >= int(wrong.sum())
    hits = np.flatnonzero(is_hit)
    count = len(patients)
    lesions = [np.bincount(of_image[truth.image[group]], minlength=count) for group in groups]
    return Events(
        patient[order],
        is_hit,
        steps(scores[order]),
        hits,
        groups[:, np.flatnonzero(hit)[order[hits] - int(wrong.sum())]].T.astype(np.float64),
        np.bincount(of_image, minlength=count).astype(np.float64),
        np.stack(lesions, axis=1).astype(np.float64),
    )


def draws(patients: int, repeats: int, seed: int) -> NDArray[np.int64]:
    """How often each patient is drawn, (repeats, patients); the same for the same seed, so that runs can be paired."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(patients, np.full(patients, 1 / patients), size=repeats)


def resample(
    truth: Truth,
    found: Detections,
    match: Match,
    points: Sequence[float],
    *,
    repeats: int,
    seed: int,
    ties: Ties = "lowest",
) -> Floats:
    """Sensitivity at `points` in every draw, (repeats, len(points)); NaN in a draw without lesions."""
    every = np.ones((1, len(truth.boxes)), dtype=np.bool_)
    return resample_groups(truth, found, match, every, points, repeats=repeats, seed=seed, ties=ties)[..., 0]


def resample_groups(
    truth: Truth,
    found: Detections,
    match: Match,
    groups: NDArray[np.bool_],
    points: Sequence[float],
    *,
    repeats: int,
    seed: int,
    ties: Ties = "lowest",
) -> Floats:
    """Sensitivity for several groups of lesions in the same draws, against the false positives of all.

    Parameters
    ----------
    groups : (S, G) lesions of each group.

    Returns
    -------
    (repeats, len(points), S); NaN in a draw without lesions of the group.
    """
    line = events(truth, found, match, groups)
    at = np.asarray(points, dtype=np.float64)
    wrong_so_far = np.cumsum(~line.is_hit)[line.last] if len(line.last) else np.zeros(0)
    enough = int(np.searchsorted(wrong_so_far, MARGIN * at.max() * line.images_of.sum())) + 1
    values = np.empty((repeats, len(at), len(groups)))
    for number, weights in enumerate(draws(len(line.images_of), repeats, seed).astype(np.float64)):
        value = _curves_at(line, weights, line.last[:enough], at, ties)
        values[number] = _curves_at(line, weights, line.last, at, ties) if value is None else value
    return values


def _curves_at(line: Events, weights: Floats, last: Ints, at: Floats, ties: Ties) -> Floats | None:
    """Curves of one draw, (len(at), S); None where their first points do not reach far enough."""
    lesions = weights @ line.lesions_of
    count = int(last[-1]) + 1 if len(last) else 0
    wrong = np.cumsum(np.where(line.is_hit[:count], 0.0, weights[line.patient[:count]]))[last]
    rate = wrong / (weights @ line.images_of)
    if len(last) < len(line.last) and rate[-1] <= at.max():
        return None
    where = places(rate, at, ties)
    # Hits are counted at the points that are looked at alone: curves share their rates, whichever lesions they are of.
    shown, back = np.unique(np.concatenate([where.low, where.high]), return_inverse=True)
    so_far = np.searchsorted(line.hits, np.append(last, -1)[shown], side="right")
    hits = np.zeros((len(line.hits) + 1, line.groups.shape[1]))
    np.cumsum(line.groups * weights[line.patient[line.hits]][:, None], axis=0, out=hits[1:])
    found = hits[so_far] / np.where(lesions > 0, lesions, np.nan)
    low, high = found[back[: len(at)]], found[back[len(at) :]]
    return np.asarray(low + where.share[:, None] * (high - low))


def band(values: Floats, level: float = 0.95) -> tuple[Floats, Floats]:
    """Lower and upper end of the central share of the draws, per column."""
    low, high = np.nanpercentile(values, [50 * (1 - level), 50 * (1 + level)], axis=0)
    return low, high


def paired_difference(
    truth: Truth,
    first: tuple[Detections, Match],
    second: tuple[Detections, Match],
    *,
    repeats: int = 1000,
    seed: int = 0,
    ties: Ties = "lowest",
) -> dict[str, float]:
    """Difference in average sensitivity (0.5, 1, 2, 4 FP per image) of two detectors over the same patients.

    Returns
    -------
    `difference` (second - first), its 95% band `low`..`high`, and `p`, the two-sided share of draws at or beyond zero
    with the data itself as one of them, so that it is never 0 (Davison and Hinkley 1997, 4.2.5); the difference alone
    without draws, and of a single patient, of whom all draws are alike.
    """
    whole = [_whole(truth, found, match, ties) for found, match in (first, second)]
    if not repeats or len(np.unique(truth.patients)) < 2:
        return {"difference": whole[1] - whole[0]}
    means = [
        resample(truth, found, match, AVERAGED, repeats=repeats, seed=seed, ties=ties).mean(axis=1)
        for found, match in (first, second)
    ]
    return difference(whole[1] - whole[0], means[0], means[1])


def difference(whole: float, first: Floats, second: Floats) -> dict[str, float]:
    """What `paired_difference` says, of averages in the same draws that are there already.

    Parameters
    ----------
    whole : difference (second - first) over all patients.
    first, second : (repeats,) average sensitivity per draw, of the same patients drawn by the same seed.
    """
    apart = second - first
    low, high = band(apart[:, None])
    beyond = min(int(np.sum(apart <= 0)), int(np.sum(apart >= 0)))
    return {
        "difference": whole,
        "low": float(low[0]),
        "high": float(high[0]),
        "p": min(1.0, 2 * (beyond + 1) / (len(apart) + 1)),
    }


def _whole(truth: Truth, found: Detections, match: Match, ties: Ties) -> float:
    curve = froc(match.hit_scores, found.scores[match.false_positive], len(truth.names))
    return float(curve.at(AVERAGED, ties).mean())
