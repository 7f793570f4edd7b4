"""Robust lines and ranks, in numpy alone."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MOST = 300
"""Points beyond which evenly chosen ones stand for all: pairs grow with the square."""
ROUNDS = 3
"""Of smoothing, each trusting what lay far off less."""


def theil_sen(x: Array, y: Array) -> tuple[float, float]:
    """Slope and intercept that nearly a third of wrong points do not move: medians over pairs and over points.

    Parameters
    ----------
    x, y : (N,) with at least two different x.
    """
    order = np.argsort(x, kind="stable")[np.unique(np.linspace(0, len(x) - 1, min(len(x), MOST)).astype(int))]
    first, second = np.triu_indices(len(order), k=1)
    dx = x[order][second] - x[order][first]
    dy = y[order][second] - y[order][first]
    slope = float(np.median(dy[dx > 0] / dx[dx > 0]))
    return slope, float(np.median(y - slope * x))


def local_line(x: Array, y: Array, window: float, believed: NDArray[np.bool_]) -> Array:
    """Smooth by a robust line through each point's neighbourhood.

    Parameters
    ----------
    x, y : (N,)
    window : width of the neighbourhood, in the unit of x.
    believed : (N,) points that take part; a place with none of them near gets 0.

    Source: W. S. Cleveland, "Robust locally weighted regression and smoothing scatterplots", JASA 74, 1979.
    """
    apart = x[None, :] - x[:, None]
    half = np.full(len(x), window / 2)
    if believed.any():
        # At an end there is one side only: the other's width goes to it, or few points would decide there.
        inside = np.minimum(x - x[believed].min(), x[believed].max() - x)
        half = np.where(inside >= 0, np.maximum(half, window - inside), half)
    near = np.where(believed[None, :], np.clip(1 - np.abs(apart / half[:, None]) ** 3, 0, None) ** 3, 0.0)
    known = np.where(believed, y, 0.0)
    trust = np.ones(len(x))
    smooth = np.zeros(len(x))
    for _ in range(ROUNDS):
        weight = near * trust
        total, first, second = (np.sum(weight * apart**power, axis=1) for power in (0, 1, 2))
        height, lean = weight @ known, (weight * apart) @ known
        span = total * second - first**2
        straight = span > 1e-6 * np.maximum(total, 1e-12) ** 2 * window**2
        mean = np.divide(height, total, out=np.zeros(len(x)), where=total > 1e-9)
        smooth = np.divide(second * height - first * lean, span, out=mean, where=straight)
        off = np.abs(known - smooth)
        usual = float(np.median(off[believed])) if believed.any() else 0.0
        trust = np.clip(1 - (off / max(6 * usual, 1e-12)) ** 2, 0, None) ** 2
    return smooth


def ranks(values: Array) -> Array:
    """Rank from 0; equal values share their mean rank."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts + 1) / 2)[place])


def rank_correlation(x: Array, y: Array) -> float:
    """Spearman's correlation; 0 where one of both is constant."""
    a, b = ranks(x), ranks(y)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def spread(residuals: Array) -> float:
    """Standard deviation by the median absolute deviation from 0."""
    return 1.4826 * float(np.median(np.abs(residuals)))
