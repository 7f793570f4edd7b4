"""What the line over a series reveals: outliers, reversal, disorder, and when to say nothing."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection.bodypart.anchor import UNIT_MM
from detection.bodypart.series import Finding, SeriesScores, judge

KNOWN = (0.3, 0.9)
TURNED = (Finding.REVERSED, Finding.PARTLY, Finding.SHUFFLED)


def scored(
    count: int = 60, start: float = 0.4, interval: float | None = 5.0, noise: float = 0.004
) -> tuple[np.ndarray, np.ndarray]:
    numbers = np.arange(1, count + 1)
    z = start + numbers * (interval or 5.0) / UNIT_MM
    return numbers, z + np.random.default_rng(3).normal(0, noise, count)


def look(numbers: np.ndarray, z: np.ndarray, interval: float | None = 5.0, familiar=None) -> SeriesScores:
    sure = np.ones(len(z), dtype=bool) if familiar is None else familiar
    return judge(numbers, z * 20, z, sure, interval, KNOWN, "bpr-test")


def test_an_ordinary_series_is_smoothed_and_fine() -> None:
    numbers, z = scored()
    found = look(numbers, z)
    assert found.finding is Finding.FINE
    truth = 0.4 + numbers * 5 / UNIT_MM
    assert np.abs(found.z - truth).max() < np.abs(z - truth).max()
    assert found.slope_mm == pytest.approx(1, abs=0.1)


def test_metal_is_replaced_by_the_line() -> None:
    numbers, z = scored()
    z[20:24] = 0.88
    found = look(numbers, z)
    assert found.outliers[20:24].all()
    assert found.outliers.sum() == 4
    np.testing.assert_allclose(found.z[20:24], 0.4 + numbers[20:24] * 5 / UNIT_MM, atol=0.01)


def test_a_reversed_series_is_named_and_located_by_its_images() -> None:
    numbers, z = scored()
    found = look(numbers, z[::-1])
    assert found.finding is Finding.REVERSED
    assert found.slope_mm < 0
    assert found.at(1) > found.at(60)


@settings(deadline=None)
@given(st.integers(0, 1000))
def test_a_shuffled_series_is_named_and_gets_no_location(seed: int) -> None:
    numbers, z = scored()
    order = np.random.default_rng(seed).permutation(60)
    found = look(numbers, z[order])
    assert found.finding is Finding.SHUFFLED
    assert np.isnan(found.z).all()


def test_slices_may_come_in_any_order_with_their_numbers() -> None:
    numbers, z = scored()
    order = np.random.default_rng(5).permutation(60)
    found = look(numbers[order], z[order])
    assert found.finding is Finding.FINE
    np.testing.assert_allclose(found.z, look(numbers, z).z[order])


def test_scores_that_say_nothing_are_unclear() -> None:
    numbers = np.arange(60)
    found = look(numbers, 0.6 + np.random.default_rng(0).normal(0, 0.003, 60))
    assert found.finding is Finding.UNCLEAR
    assert np.isnan(found.z).all()


def test_a_slope_that_no_body_has_is_unclear() -> None:
    numbers = np.arange(60)
    assert look(numbers, 0.4 + numbers * 0.0005).finding is Finding.UNCLEAR


@pytest.mark.parametrize(("count", "interval"), [(1, 5.0), (3, 5.0), (4, 1.0), (10, 1.0)])
def test_too_few_slices_get_no_location(count: int, interval: float) -> None:
    numbers, z = scored(count, interval=interval)
    found = look(numbers, z, interval)
    assert found.finding is Finding.TOO_FEW
    assert np.isnan(found.z).all()
    assert "Too few" in found.sentence


def test_an_unfamiliar_series_gets_no_location() -> None:
    numbers, z = scored()
    found = look(numbers, z, familiar=numbers > 45)
    assert found.finding is Finding.UNFAMILIAR
    assert np.isnan(found.z).all()


def test_a_series_beyond_the_known_part_gets_no_location() -> None:
    numbers, z = scored(40, start=0.0)
    assert look(numbers, z - 0.05).finding is Finding.OUTSIDE


def test_slices_beyond_the_known_part_stay_unknown() -> None:
    numbers, z = scored(120, start=0.31)
    found = judge(numbers, z, z, np.ones(120, dtype=bool), 5.0, (0.3, 0.6), "bpr-test")
    assert found.finding is Finding.FINE
    assert found.at(10) is not None
    assert found.at(120) is None


def test_empty_slices_stay_unknown_and_empty_series_say_so() -> None:
    numbers, z = scored()
    z[30] = np.nan
    found = look(numbers, z)
    assert found.finding is Finding.FINE
    assert found.at(31) is None
    assert look(numbers, np.full(60, np.nan)).finding is Finding.EMPTY
    assert look(np.zeros(0, dtype=np.int64), np.zeros(0)).finding is Finding.EMPTY


def test_without_interval_order_is_judged_by_number_alone() -> None:
    numbers, z = scored()
    found = look(numbers, z, interval=None)
    assert found.finding is Finding.FINE
    assert found.slope_mm is None


def test_a_slice_that_was_not_scored_has_no_location() -> None:
    assert look(*scored()).at(999) is None


def of_bodies(
    count: int, interval: float, spread: float, *, known: bool = True, rounds: int = 150
) -> list[SeriesScores]:
    """Correct series of bodies whose scores wander about the line, alike over 20 mm, and are a little noisy."""
    random = np.random.default_rng(1)
    numbers = np.arange(1, count + 1)
    mm = numbers * interval
    alike = np.exp(-0.5 * ((mm[:, None] - mm) / 20) ** 2) + 1e-9 * np.eye(count)
    wander = spread * np.linalg.cholesky(alike)
    noises = (wander @ random.normal(size=count) + random.normal(0, spread / 3, count) for _ in range(rounds))
    return [look(numbers, 0.5 + mm / UNIT_MM + noise, interval if known else None) for noise in noises]


@pytest.mark.parametrize("spread", [0.005, 0.01, 0.02, 0.03])
@pytest.mark.parametrize(("count", "interval"), [(5, 5.0), (7, 5.0), (13, 5.0), (21, 5.0), (25, 1.0), (61, 1.0)])
def test_a_correct_series_is_not_called_reversed_or_shuffled(count: int, interval: float, spread: float) -> None:
    found = of_bodies(count, interval, spread)
    wrong = [each for each in found if each.finding in TURNED]
    assert len(wrong) <= 0.01 * len(found)
    slopes = [each.slope_mm for each in found if each.finding is Finding.FINE]
    assert all(0.4 < slope < 2.5 for slope in slopes)


@pytest.mark.parametrize("count", [13, 21, 41])
def test_most_correct_series_of_a_good_model_are_located(count: int) -> None:
    found = of_bodies(count, 5.0, 0.01)
    assert np.mean([each.finding is Finding.FINE for each in found]) > 0.9


@pytest.mark.parametrize("spread", [0.005, 0.01, 0.02])
def test_a_long_reversed_series_is_called_so_through_noise(spread: float) -> None:
    random = np.random.default_rng(2)
    numbers = np.arange(1, 61)
    found = [look(numbers, 0.5 + (61 - numbers) * 5 / UNIT_MM + random.normal(0, spread, 60)) for _ in range(50)]
    assert all(each.finding is Finding.REVERSED for each in found)


@pytest.mark.parametrize("noise", [0.002, 0.01])
@pytest.mark.parametrize("interval", [5.0, 1.0, None])
@pytest.mark.parametrize("part", [0.1, 0.2, 0.3, 0.4])
@pytest.mark.parametrize("at", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_part_that_runs_against_the_rest_is_named_or_moves_no_place_far(
    noise: float, interval: float | None, part: float, at: float, backwards: bool
) -> None:
    numbers, z = scored(400 if interval == 1.0 else 80, interval=interval, noise=0)
    truth = z[::-1] if backwards else z
    count = int(part * len(z))
    start = int(at * (len(z) - count))
    turned = truth.copy()
    turned[start : start + count] = truth[start : start + count][::-1]
    random = np.random.default_rng(4)
    for _ in range(2):
        found = look(numbers, turned + random.normal(0, noise, len(z)), interval)
        mm = count * (interval or 5.0)
        assert mm < 100 or found.finding is Finding.PARTLY or part == 0.4
        assert np.isnan(found.z).all() or (mm < 70 and np.abs(found.z - turned).max() < 0.05)


@pytest.mark.parametrize("start", [0, 28, 56])
def test_a_few_wrong_slices_are_no_part_that_runs_against_the_rest(start: int) -> None:
    for wrong in (0.35, 0.88):
        numbers, z = scored()
        z[start : start + 4] = wrong
        assert look(numbers, z).finding is Finding.FINE


def test_a_thin_series_of_a_whole_body_is_judged_as_any_other_in_bounded_memory() -> None:
    numbers = np.arange(1, 5001)
    random = np.random.default_rng(6)
    z = 0.31 + numbers * 0.1 / UNIT_MM + 0.01 * np.sin(numbers / 300) + random.normal(0, 0.004, 5000)
    tracemalloc.start()
    try:
        found = look(numbers, z, 0.1)
        shuffled = look(numbers, z[random.permutation(5000)], 0.1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.finding is Finding.FINE
    assert np.abs(found.z - (0.31 + numbers * 0.1 / UNIT_MM + 0.01 * np.sin(numbers / 300))).max() < 0.004
    assert shuffled.finding is Finding.SHUFFLED
    assert peak < 40_000_000


def test_without_interval_few_slices_and_little_change_prove_nothing() -> None:
    numbers = np.arange(1, 6)
    z = 0.5 + 0.001 * numbers + np.array([0.003, -0.001, 0, 0.001, 0.004])
    assert look(numbers, z, interval=None).finding is Finding.TOO_FEW
    for count, interval in ((20, 5.0), (25, 1.0), (61, 1.0)):
        for spread in (0.01, 0.02, 0.03):
            found = of_bodies(count, interval, spread, known=False)
            assert np.mean([each.finding is Finding.REVERSED for each in found]) <= 0.01
