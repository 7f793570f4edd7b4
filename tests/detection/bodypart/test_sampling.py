"""Equidistant slices, and what stands for them in gaps."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detection.bodypart.sampling import draw


@given(st.sets(st.integers(0, 300), min_size=8, max_size=60), st.integers(0, 2**32 - 1))
def test_slices_are_different_ascending_and_with_true_gaps(present: set[int], seed: int) -> None:
    mm = np.array(sorted(present)) * 2.5
    sample = draw(mm, 8, np.random.default_rng(seed))
    assert (np.diff(sample.at) > 0).all()
    assert sample.at[0] >= 0
    assert sample.at[-1] < len(mm)
    np.testing.assert_allclose(sample.gaps, np.diff(mm[sample.at]), rtol=1e-5)


def test_a_series_without_gaps_gives_nearly_equal_distances() -> None:
    random = np.random.default_rng(0)
    for _ in range(50):
        sample = draw(np.arange(400.0), 8, random)
        assert np.ptp(np.diff(sample.at)) <= 1


def test_both_sides_of_a_gap_take_part() -> None:
    mm = np.concatenate([np.arange(0, 100, 5.0), np.arange(400, 500, 5.0)])
    random = np.random.default_rng(0)
    both = [mm[sample.at[0]] < 200 < mm[sample.at[-1]] for sample in (draw(mm, 8, random) for _ in range(40))]
    assert all(both)


def test_start_and_length_vary() -> None:
    random = np.random.default_rng(0)
    samples = [draw(np.arange(200.0), 8, random).at for _ in range(50)]
    assert len({int(at[0]) for at in samples}) > 10
    assert len({int(at[-1] - at[0]) for at in samples}) > 10
