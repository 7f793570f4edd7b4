"""Detections one by one tell the same as the match they were counted by."""

import numpy as np
import pytest

from detection.evaluation.assign import EXTRA, assign
from detection.evaluation.matching import match
from detection.evaluation.overlap import paired_iou
from tests.detection.evaluation.test_matching import found_of, truth_of


def test_in_the_strict_convention_a_detection_belongs_to_the_lesion_it_claimed():
    truth = truth_of([(0, 0, 10, 10), (0, 2, 10, 12)])
    # Both overlap the first lesion most; the surer one takes it, and the other one claims the second.
    found = found_of((0, (0, 0, 10, 10), 0.9), (0, (0, 0.5, 10, 10.5), 0.8))
    matched = match(truth, found, 0.5, "strict")
    made = assign(truth, found, matched, "strict")
    assert matched.hit_scores.tolist() == [0.9, 0.8]
    assert (made.lesion.tolist(), made.first.tolist()) == ([0, 1], [True, True])
    assert made.overlap == pytest.approx([1, 85 / 115])


def test_of_two_lesions_hit_a_detection_belongs_to_the_one_it_overlaps_most():
    truth = truth_of([(0, 0, 10, 10), (0, 1, 10, 11)])
    found = found_of((0, (0, 1, 10, 11), 0.8), (0, (0, 0, 10, 10), 0.7), (0, (0, 0, 10, 10), 0.6))
    made = assign(truth, found, match(truth, found, 0.5, "deeplesion"), "deeplesion")
    assert (made.lesion.tolist(), made.first.tolist()) == ([1, 0, 0], [True, True, False])


@pytest.mark.parametrize("convention", ["deeplesion", "strict"])
@pytest.mark.parametrize("seed", range(10))
def test_what_is_told_of_each_detection_adds_up_to_the_match(seed, convention):
    rng = np.random.default_rng(seed)

    def boxes(count):
        corners = rng.integers(0, 15, (count, 2))
        return np.concatenate([corners, corners + rng.integers(5, 20, (count, 2))], axis=1).tolist()

    truth = truth_of(*(boxes(3) for _ in range(5)))
    found = found_of(
        *((int(image), box, rng.random()) for image, box in zip(rng.integers(0, 5, 60), boxes(60), strict=True))
    )
    matched = match(truth, found, 0.5, convention)
    made = assign(truth, found, matched, convention)
    assert ((made.lesion < 0) == matched.false_positive).all()
    named = np.flatnonzero(made.lesion >= 0)
    assert (truth.image[made.lesion[named]] == found.image[named]).all()
    own = paired_iou(found.boxes[named], truth.boxes[made.lesion[named]], EXTRA[convention])
    assert (own == made.overlap[named]).all()
    assert (own >= 0.5).all()
    surest = np.flatnonzero(made.first)
    assert len(surest) == len(set(made.lesion[named]))
    if convention == "strict":
        assert (made.first == ~matched.false_positive).all()
        assert (matched.hit_scores[made.lesion[surest]] == found.scores[surest]).all()
        assert len(surest) == (matched.hit_scores > -np.inf).sum()
