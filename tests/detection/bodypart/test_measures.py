"""Order, rank and landmarks on hand-written scores."""

import numpy as np
import pytest

from detection.bodypart.measures import correlation, landmark_error, monotonic, monotonic_share


def test_noise_between_asked_slices_does_not_count() -> None:
    mm = np.arange(0, 100, 5.0)
    scores = mm + np.where(np.arange(20) % 4 == 2, -30, 0)
    assert monotonic(scores, mm, step=20)
    assert not monotonic(scores, mm, step=5)


def test_a_short_volume_is_asked_at_its_ends() -> None:
    assert monotonic(np.array([1.0, 0.0, 2.0]), np.array([0.0, 5.0, 10.0]))
    assert not monotonic(np.array([2.0, 3.0, 1.0]), np.array([0.0, 5.0, 10.0]))


def test_share_counts_volumes() -> None:
    mm = np.arange(0, 200, 20.0)
    assert monotonic_share([(mm, mm), (-mm, mm), (mm * 2, mm), (mm, mm)]) == 0.75


def test_correlation_pools_volumes() -> None:
    scores = [np.array([0.0, 1.0]), np.array([0.0, 1.0])]
    heights = [np.array([0.0, 1.0]), np.array([10.0, 11.0])]
    assert 0 < correlation(scores, heights) < 1


def test_landmark_error_by_hand() -> None:
    # means 0 and 2, length 2: deviations 0.5, 0.5, 0, 0 of it 0.25, 0.25, 0, 0
    landmarks = [np.array([-0.5, 0.5]), np.array([2.0, 2.0])]
    assert landmark_error(landmarks) == pytest.approx(2 * 0.25**2 / 4)
