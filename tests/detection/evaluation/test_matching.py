"""Matching against hand-made cases and against a plain loop."""

import numpy as np
import pytest

from benchmarks.froc import naive
from detection.evaluation.curve import froc
from detection.evaluation.matching import match
from detection.evaluation.tables import Detections, Truth


def truth_of(*images):
    boxes = [(number, box) for number, image in enumerate(images) for box in image]
    count = len(boxes)
    return Truth(
        tuple(f"{number}" for number in range(len(images))), np.arange(len(images)),
        np.array([number for number, _ in boxes], dtype=np.int64),
        np.array([box for _, box in boxes], dtype=float).reshape(-1, 4),
        np.ones(count, dtype=np.int64), np.ones(count),
    )  # fmt: skip


def found_of(*rows):
    """Rows of image, box, score."""
    return Detections(
        np.array([row[0] for row in rows], dtype=np.int64),
        np.array([row[1] for row in rows], dtype=float).reshape(-1, 4),
        np.array([row[2] for row in rows], dtype=float),
    )


LESION = (0, 0, 9, 19)


def test_pixels_at_both_ends_belong_to_a_box_and_the_threshold_itself_is_a_hit():
    result = match(truth_of([LESION]), found_of((0, (0, 0, 9, 9), 0.7)), 0.5, "deeplesion")
    assert result.hit_scores.tolist() == [0.7]
    assert not result.false_positive.any()


def test_with_continuous_edges_the_same_box_misses():
    result = match(truth_of([LESION]), found_of((0, (0, 0, 9, 9), 0.7)), 0.5, "strict")
    assert result.hit_scores.tolist() == [-np.inf]
    assert result.false_positive.all()


def test_a_further_detection_on_a_lesion_is_neither_right_nor_wrong():
    found = found_of((0, LESION, 0.6), (0, LESION, 0.9))
    result = match(truth_of([LESION]), found, 0.5, "deeplesion")
    assert result.hit_scores.tolist() == [0.9]
    assert not result.false_positive.any()
    assert match(truth_of([LESION]), found, 0.5, "strict").false_positive.tolist() == [True, False]


def test_one_detection_may_hit_two_lesions_but_not_in_the_strict_convention():
    truth = truth_of([(0, 0, 10, 10), (0, 1, 10, 11)])
    found = found_of((0, (0, 0, 10, 11), 0.8))
    assert match(truth, found, 0.5, "deeplesion").hit_scores.tolist() == [0.8, 0.8]
    assert sorted(match(truth, found, 0.5, "strict").hit_scores.tolist()) == [-np.inf, 0.8]


def test_a_detection_belongs_to_its_own_image():
    result = match(truth_of([LESION], [(50, 50, 60, 60)]), found_of((1, LESION, 0.9)), 0.5, "deeplesion")
    assert result.hit_scores.tolist() == [-np.inf, -np.inf]
    assert result.false_positive.tolist() == [True]


@pytest.mark.parametrize("convention", ["deeplesion", "strict"])
@pytest.mark.parametrize("seed", range(25))
def test_the_plain_loop_draws_the_same_curve(seed, convention):
    rng = np.random.default_rng(seed)
    images = [
        [(*corner, *(corner + rng.integers(5, 30, 2))) for corner in rng.integers(0, 25, (rng.integers(0, 4), 2))]
        for _ in range(6)
    ]
    images[0] = images[0] or [(0, 0, 10, 10)]
    rows = []
    for _ in range(int(rng.integers(0, 60))):
        corner = rng.integers(0, 25, 2)
        # In the strict convention equal scores leave open who chooses first, so there are none.
        score = rng.integers(1, 8) / 10 if convention == "deeplesion" else rng.random()
        rows.append((int(rng.integers(0, 6)), (*corner, *(corner + rng.integers(5, 30, 2))), score))
    truth, found = truth_of(*images), found_of(*rows)
    matched = match(truth, found, 0.5, convention)
    curve = froc(matched.hit_scores, found.scores[matched.false_positive], 6)
    points = list(zip(curve.false_positives.tolist(), curve.sensitivity.tolist(), strict=True))
    # The loop also makes a step where neither count changes.
    assert points == [point for point in dict.fromkeys(naive(truth, found, 0.5, convention)) if point != (0.0, 0.0)]
