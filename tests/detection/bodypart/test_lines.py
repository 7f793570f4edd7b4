"""Robust lines and ranks."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detection.bodypart.lines import rank_correlation, theil_sen


def test_a_quarter_of_wrong_points_does_not_move_the_line() -> None:
    random = np.random.default_rng(1)
    x = np.arange(80.0)
    y = 0.5 * x - 3
    y[random.permutation(80)[:20]] += random.uniform(20, 90, 20)
    slope, offset = theil_sen(x, y)
    assert abs(slope - 0.5) < 0.05
    assert abs(offset + 3) < 2.5


def test_long_series_are_thinned_over_their_whole_length() -> None:
    x = np.arange(2000.0)
    slope, offset = theil_sen(x[::-1], -2 * x[::-1] + 7)
    assert abs(slope + 2) < 1e-9
    assert abs(offset - 7) < 1e-6


@given(st.lists(st.integers(-50, 50), min_size=3, max_size=40).filter(lambda values: len(set(values)) > 1))
def test_rank_correlation_knows_only_order(values: list[int]) -> None:
    x = np.array(values, dtype=float)
    assert abs(rank_correlation(x, np.exp(x / 20)) - 1) < 1e-9
    assert abs(rank_correlation(x, -x) + 1) < 1e-9


def test_rank_correlation_with_a_constant_is_none() -> None:
    assert rank_correlation(np.arange(5.0), np.ones(5)) == 0
