"""The measure of a regressor on phantom patients: a perfect answer gets full marks, a poor one does not."""

from dataclasses import dataclass

import numpy as np
import pytest

from datasets.phantom import plan
from workers import phantom_check


@dataclass
class Scores:
    single: np.ndarray
    z: np.ndarray


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here looks at pictures, so they need not be drawn."""
    monkeypatch.setattr(phantom_check.render, "of_series", lambda *_: np.zeros((2, 2), dtype=np.int16))


def truth(patients: int) -> list[np.ndarray]:
    """True heights of the volumes in the order in which they are scored, 0..1 from head to feet."""
    found = []
    for index in range(1, patients + 1):
        patient, _ = plan.patient(phantom_check.SEED, index, phantom_check.SIZE)
        for study in patient.studies:
            planes = study.series[0].planes
            middles = [plane.to_patient([(plane.columns - 1) / 2, (plane.rows - 1) / 2]) for plane in planes]
            found.append(np.array([1 - patient.build.frame.to_body(middle)[2] / 1000 for middle in middles]))
    return found


def measured(scores: list[np.ndarray], places: list[np.ndarray] | None = None):
    answers = iter(zip(scores, places or scores, strict=True))

    def score(slices, interval):
        assert interval == 5.0
        single, z = next(answers)
        assert len(list(slices)) == len(single)
        return Scores(single, z)

    return phantom_check.check(score, patients=3)


def test_true_heights_get_full_marks() -> None:
    found = measured(truth(3))
    assert (found["patients"], found["monotonic"], found["smoothed_monotonic"]) == (3, 1.0, 1.0)
    assert found["rank_correlation"] == pytest.approx(1.0, abs=1e-3)
    assert found["landmark_error"] < 1e-4
    assert found["landmarks"] >= 3


def test_noise_offsets_and_unknown_places_cost_marks() -> None:
    random = np.random.default_rng(1)
    heights = truth(3)
    noisy = [each + random.normal(0, 0.05, len(each)) + random.normal(0, 0.05) for each in heights]
    found = measured(noisy, [heights[0], *(np.full(len(each), np.nan) for each in heights[1:])])
    assert found["monotonic"] < 0.5
    assert found["smoothed_monotonic"] == pytest.approx(1 / len(heights))
    assert found["rank_correlation"] < 0.99
    assert found["landmark_error"] > 1e-3


def test_it_can_be_ended_before_any_slice() -> None:
    told: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        told.append((done, total))
        if len(told) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        phantom_check.check(lambda slices, interval: list(slices), patients=3, progress=progress)
    assert told == [(0, 3)] * 3
