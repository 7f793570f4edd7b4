"""Robust lines and ranks, in numpy alone."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MOST = 300
"""Points beyond which evenly chosen ones stand for all: pairs grow with the square."""


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
