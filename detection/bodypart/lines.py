"""Robust lines and ranks, in numpy alone."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MOST = 300
"""Points beyond which evenly chosen ones stand for all: pairs grow with the square."""
ROUNDS = 3
"""Of smoothing, each trusting what lay far off less."""
BLOCK = 128
"""Points smoothed at once: memory grows with the points, not with their square."""


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
    order = np.argsort(x, kind="stable")
    x, believed = x[order], believed[order]
    known = np.where(believed, y[order], 0.0)
    half = np.full(len(x), window / 2)
    if believed.any():
        # At an end there is one side only: the other's width goes to it, or few points would decide there.
        inside = np.minimum(x - x[believed].min(), x[believed].max() - x)
        half = np.where(inside >= 0, np.maximum(half, window - inside), half)
    trust = np.where(believed, 1.0, 0.0)
    smooth = np.zeros(len(x))
    for _ in range(ROUNDS):
        for begin in range(0, len(x), BLOCK):
            rows = slice(begin, begin + BLOCK)
            smooth[rows] = _fitted(x, known, trust, x[rows], half[rows], window)
        off = np.abs(known - smooth)
        usual = float(np.median(off[believed])) if believed.any() else 0.0
        trust = np.where(believed, np.clip(1 - (off / max(6 * usual, 1e-12)) ** 2, 0, None) ** 2, 0.0)
    found = np.empty(len(x))
    found[order] = smooth
    return found


def _fitted(x: Array, y: Array, trust: Array, places: Array, half: Array, window: float) -> Array:
    """Heights at ascending places of the lines through the points within `half` of each; x ascends."""
    first, last = np.searchsorted(x, [places[0] - half.max(), places[-1] + half.max()])
    reach = slice(first, last + 1)
    apart = x[None, reach] - places[:, None]
    weight = np.clip(1 - np.abs(apart / half[:, None]) ** 3, 0, None) ** 3 * trust[reach]
    total, first_moment, second = (np.sum(weight * apart**power, axis=1) for power in (0, 1, 2))
    height, lean = weight @ y[reach], (weight * apart) @ y[reach]
    span = total * second - first_moment**2
    straight = span > 1e-6 * np.maximum(total, 1e-12) ** 2 * window**2
    mean = np.divide(height, total, out=np.zeros(len(places)), where=total > 1e-9)
    return np.asarray(np.divide(second * height - first_moment * lean, span, out=mean, where=straight))


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


def agreement(x: Array, y: Array) -> float:
    """Kendall's tau without its care for ties: 1 where y rises over every pair of different x, -1 where it falls.

    A step up or down, however high, gives no less than about 0: half of the pairs lie on one side of it.
    """
    first, second = np.triu_indices(len(x), k=1)
    return float(np.mean(np.sign(x[second] - x[first]) * np.sign(y[second] - y[first])))


def mean_difference(values: Array) -> float:
    """Mean absolute difference of any two of at least two values."""
    count = len(values)
    return float(2 * np.sum((2 * np.arange(count) - count + 1) * np.sort(values)) / (count * (count - 1)))


def spread(residuals: Array) -> float:
    """Standard deviation by the median absolute deviation from 0."""
    return 1.4826 * float(np.median(np.abs(residuals)))
