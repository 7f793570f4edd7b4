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
