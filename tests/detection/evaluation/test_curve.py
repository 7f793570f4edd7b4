"""The curve and its two interpolations."""

import numpy as np
import pytest

from detection.evaluation.curve import Curve, froc, thinned

RIGHT = "TFTFTTFT"
"""Detections of two images with ten lesions, surest first."""


def fixture_curve():
    scores = np.linspace(0.9, 0.1, len(RIGHT))
    right = np.array([letter == "T" for letter in RIGHT])
    hits = np.full(10, -np.inf)
    hits[: right.sum()] = scores[right]
    return froc(hits, scores[~right], 2)


@pytest.mark.parametrize(
    ("ties", "expected"), [("lowest", [0.1, 0.1, 0.2, 0.4, 0.4]), ("highest", [0.1, 0.2, 0.4, 0.4, 0.5])]
)
def test_several_points_at_one_rate_give_the_lowest_or_the_highest(ties, expected):
    assert fixture_curve().at([0, 0.5, 1, 1.25, 1.5], ties) == pytest.approx(expected)


def test_a_curve_stays_where_the_detections_end():
    assert fixture_curve().at([16])[0] == pytest.approx(0.5)


def test_equal_scores_are_one_step_whatever_their_order():
    curve = froc(np.array([0.5, 0.5, -np.inf]), np.array([0.5, 0.2]), 1)
    assert curve.false_positives.tolist() == [1, 2]
    assert curve.sensitivity == pytest.approx([2 / 3, 2 / 3])
    assert curve.thresholds.tolist() == [0.5, 0.2]


def test_left_of_a_first_point_with_false_positives_the_curve_comes_from_the_origin():
    curve = Curve(np.array([2.0]), np.array([0.8]), np.array([0.5]))
    assert curve.at([0.5, 1.0]) == pytest.approx([0.2, 0.4])


def test_without_detections_nothing_is_found():
    assert froc(np.full(3, -np.inf), np.zeros(0), 2).at([0.5, 16]).tolist() == [0, 0]


def test_a_drawn_curve_of_few_hits_keeps_the_place_of_its_steps():
    false_positives = np.linspace(0.99, 0.01, 3200)
    hits = np.array([0.9, false_positives[210] + 1e-6])
    curve = froc(hits, false_positives, 100)
    drawn = thinned(curve, 32, 60)
    assert len(drawn["score"]) == 6
    assert drawn["false_positives"][-1] == 32
    assert drawn["false_positives"].count(2.1) == 2, "the curve rises at 2.1, not between 2 and 3"
    at = [0.1, 2, 2.09, 2.11, 3, 31]
    assert np.interp(at, drawn["false_positives"], drawn["sensitivity"]) == pytest.approx(curve.at(at))


def test_a_drawn_curve_of_many_hits_has_no_more_points_than_asked_for():
    rng = np.random.default_rng(0)
    curve = froc(rng.random(500), rng.random(5000), 100)
    drawn = thinned(curve, 32, 60)
    assert 40 < len(drawn["sensitivity"]) <= 60
    assert max(drawn["false_positives"]) <= 32
    empty = froc(np.full(3, -np.inf), np.zeros(0), 2)
    assert thinned(empty, 32, 60) == {"false_positives": [], "sensitivity": [], "score": []}
