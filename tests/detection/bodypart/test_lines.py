"""Robust lines and ranks."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from detection.bodypart import lines
from detection.bodypart.lines import agreement, local_line, mean_difference, rank_correlation, theil_sen


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


@settings(deadline=None)
@given(st.lists(st.integers(-50, 50), min_size=3, max_size=40).filter(lambda values: len(set(values)) > 1))
def test_rank_correlation_knows_only_order(values: list[int]) -> None:
    x = np.array(values, dtype=float)
    assert abs(rank_correlation(x, np.exp(x / 20)) - 1) < 1e-9
    assert abs(rank_correlation(x, -x) + 1) < 1e-9


def test_rank_correlation_with_a_constant_is_none() -> None:
    assert rank_correlation(np.arange(5.0), np.ones(5)) == 0


def test_a_local_line_follows_a_bend_and_not_its_noise() -> None:
    x = np.arange(0.0, 400.0, 5.0)
    bend = 0.001 * x + 0.03 * np.sin(x / 120)
    noise = np.random.default_rng(2).normal(0, 0.008, len(x))
    y = bend + noise
    y[30:33] += 0.3
    smooth = local_line(x, y, 100.0, np.ones(len(x), dtype=bool))
    assert np.abs(smooth - bend).max() < 0.012
    assert np.abs(smooth - bend).mean() < np.abs(noise).mean() / 2
    assert (np.diff(smooth) > 0).all()


def test_a_local_line_is_exact_on_a_line_and_0_where_nothing_is_believed() -> None:
    x = np.arange(0.0, 300.0, 3.0)
    believed = x < 100
    smooth = local_line(x, np.where(believed, 2 * x - 1, np.nan), 60.0, believed)
    np.testing.assert_allclose(smooth[believed], (2 * x - 1)[believed], atol=1e-6)
    assert (smooth[x > 140] == 0).all()


def test_the_ends_of_a_local_line_are_hardly_less_sure_than_its_middle() -> None:
    x = np.arange(0.0, 400.0, 5.0)
    noise = np.random.default_rng(3).normal(0, 1, (300, len(x)))
    spread = np.array([local_line(x, each, 100.0, np.ones(len(x), dtype=bool)) for each in noise]).std(axis=0)
    assert max(spread[0], spread[-1]) < 2.1 * spread[20:60].mean()


def test_a_local_line_is_the_same_in_blocks_and_in_any_order(monkeypatch) -> None:
    random = np.random.default_rng(4)
    x = np.cumsum(random.choice([1.0, 5.0, 60.0], 200))
    y = np.sin(x / 90) + random.normal(0, 0.05, 200)
    believed = random.random(200) < 0.9
    whole = local_line(x, y, 100.0, believed)
    monkeypatch.setattr(lines, "BLOCK", 7)
    order = random.permutation(200)
    np.testing.assert_allclose(local_line(x[order], y[order], 100.0, believed[order]), whole[order], atol=1e-6)


def test_agreement_counts_pairs_and_a_step_turns_no_more_than_half_of_them() -> None:
    x = np.arange(12.0)
    assert agreement(x, x**3) == 1
    assert agreement(x, -x) == -1
    assert agreement(x, x + 100 * (x < 6)) > -0.1


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=30))
def test_the_mean_difference_is_that_of_all_pairs(values: list[float]) -> None:
    each = np.array(values)
    expected = np.abs(each[:, None] - each).sum() / (len(each) * (len(each) - 1))
    np.testing.assert_allclose(mean_difference(each), expected, atol=1e-9)
