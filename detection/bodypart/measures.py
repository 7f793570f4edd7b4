"""How good a regressor is: order within volumes, rank against the true height, landmarks at the same score."""

from collections.abc import Sequence

import numpy as np

from detection.bodypart.lines import Array, rank_correlation

STEP_MM = 20.0
"""Distance of the slices that are asked to be in order."""


def monotonic(scores: Array, mm: Array, step: float = STEP_MM) -> bool:
    """Tell whether slices `step` mm apart all score higher than the one before; a shorter volume: first and last.

    Parameters
    ----------
    scores, mm : (N,) score and position, in ascending order of position.
    """
    kept = [0]
    for at in range(1, len(mm)):
        if mm[at] - mm[kept[-1]] >= step - 1e-6:
            kept.append(at)
    if len(kept) == 1:
        kept.append(len(mm) - 1)
    return bool((np.diff(scores[kept]) > 0).all())


def monotonic_share(volumes: Sequence[tuple[Array, Array]]) -> float:
    """Share of volumes, each scores and mm, that are monotonic."""
    return float(np.mean([monotonic(scores, mm) for scores, mm in volumes]))


def correlation(scores: Sequence[Array], heights: Sequence[Array]) -> float:
    """Rank correlation of score and true height over the slices of all volumes together."""
    return rank_correlation(np.concatenate(list(scores)), np.concatenate(list(heights)))


def landmark_error(landmarks: Sequence[Array]) -> float:
    """LMSE: mean squared deviation from each landmark's mean score, where first to last landmark is 1.

    Parameters
    ----------
    landmarks : per landmark, from head to feet, its scores in the volumes that hold it; none empty, at least two.

    Source: SSBR's evaluation.
    """
    means = [float(np.mean(each)) for each in landmarks]
    length = means[-1] - means[0]
    return float(np.mean(np.concatenate([(each - m) / length for each, m in zip(landmarks, means, strict=True)]) ** 2))
