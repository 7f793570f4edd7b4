"""False positives that are lesions nobody marked."""

import numpy as np

from detection.evaluation.matching import match
from detection.evaluation.tables import Detections, Truth
from detection.evaluation.unannotated import recount


def test_a_false_positive_inside_an_annotated_lesion_is_one():
    truth = Truth(
        ("000001_01_01_010.png", "000002_01_01_010.png"), np.array([1, 2]), np.array([0, 1]),
        np.array([[10.0, 10, 30, 30], [10, 10, 30, 30]]), np.array([5, 5]), np.array([9.0, 9.0]),
    )  # fmt: skip
    boxes = np.array([[10, 10, 30, 30], [60, 60, 80, 80], [100, 100, 110, 110], [60, 60, 80, 80.0]])
    found = Detections(np.array([0, 0, 0, 1]), boxes, np.array([0.9, 0.8, 0.7, 0.95]))
    volumes = {
        "000001_01_01_008-012": np.array(
            [[10.0, 10, 9, 30, 30, 11], [58, 58, 10, 82, 82, 12], [99, 99, 11, 120, 120, 12]]
        )
    }
    matched = match(truth, found, 0.5, "deeplesion")
    result = recount(truth, found, matched, volumes, points=(0.5, 1, 2))
    assert result == {
        "0.5": {"false_positives": 0, "of_them_lesions": 0},
        "1": {"false_positives": 1, "of_them_lesions": 1},
        "2": {"false_positives": 2, "of_them_lesions": 1},
    }


def one_slice(marked):
    boxes = np.array(marked, dtype=np.float64)
    count = len(boxes)
    return Truth(("000001_01_01_010.png",), np.array([1]), np.zeros(count, dtype=np.int64), boxes,
                 np.full(count, 5), np.full(count, 9.0))  # fmt: skip


def test_a_poor_box_on_a_marked_lesion_is_no_lesion_that_nobody_marked():
    truth = one_slice([[100, 100, 140, 140]])
    found = Detections(np.array([0]), np.array([[100.0, 100, 120, 120]]), np.array([0.9]))
    volumes = {"000001_01_01_008-012": np.array([[100.0, 100, 9, 140, 140, 11]])}
    matched = match(truth, found, 0.5, "deeplesion")
    assert matched.false_positive.all()
    assert recount(truth, found, matched, volumes, points=(1,)) == {"1": {"false_positives": 1, "of_them_lesions": 0}}


def test_every_marked_lesion_takes_the_annotated_one_that_it_overlaps_most():
    """Marked boxes have a margin, by which they reach into neighbours that nobody marked."""
    truth = one_slice([[95, 95, 125, 125], [300, 300, 340, 340]])
    boxes = np.array([[101.0, 101, 109, 109], [122, 100, 140, 120], [300, 300, 316, 316]])
    found = Detections(np.zeros(3, dtype=np.int64), boxes, np.array([0.9, 0.8, 0.7]))
    volumes = {
        "000001_01_01_008-012": np.array(
            [[120.0, 100, 9, 140, 120, 11], [100, 100, 9, 120, 120, 11], [300, 300, 10, 338, 338, 10]]
        )
    }
    matched = match(truth, found, 0.5, "deeplesion")
    assert matched.false_positive.all()
    assert recount(truth, found, matched, volumes, points=(4,)) == {"4": {"false_positives": 3, "of_them_lesions": 1}}
