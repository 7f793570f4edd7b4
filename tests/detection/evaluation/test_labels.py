"""Scores that can be read."""

import itertools

import numpy as np

from detection.evaluation.labels import Frame, Label, place

PICTURE = Frame(0, 0, 512, 512)
SIZE = {"width": 60, "height": 20}


def extent(label):
    """Left, top, right, lower edge of a text."""
    left = label.x if label.anchor == "start" else label.x - 60
    return left, label.y - 20, left + 60, label.y


def test_a_label_stands_right_of_its_box_and_left_of_it_at_the_right_edge():
    boxes = [Frame(100, 100, 140, 140), Frame(470, 200, 510, 240), Frame(10, 300, 500, 340)]
    assert place(boxes, [False, False, False], PICTURE, **SIZE) == [
        Label(144, 113, "start"),
        Label(466, 213, "end"),
        Label(508, 313, "end"),
    ]


def test_labels_of_near_boxes_lie_below_each_other():
    near = [Frame(0, 100 + step, 9, 109 + step) for step in (0, 3, 6)]
    far = Frame(290, 100, 300, 109)
    labels = place([*near, far], [False] * 4, PICTURE, **SIZE)
    assert [label.y for label in labels] == [113, 136, 159, 113]


def test_a_label_at_the_foot_stays_in_the_picture_and_its_neighbours_go_up():
    boxes = [Frame(100, 450, 140, 520)] * 3
    labels = place(boxes, [True] * 3, PICTURE, **SIZE)
    assert [label.y for label in labels] == [508, 488, 468]


def test_labels_of_many_boxes_lie_within_the_picture_and_on_no_other():
    rng = np.random.default_rng(1)
    corner = rng.uniform(-5, 490, (25, 2))
    boxes = [Frame(*map(float, row)) for row in np.concatenate([corner, corner + rng.uniform(4, 60, (25, 2))], axis=1)]
    extents = [extent(label) for label in place(boxes, rng.random(25) < 0.3, PICTURE, **SIZE)]
    for x1, y1, x2, y2 in extents:
        assert x1 >= 0
        assert y1 >= 0
        assert x2 <= 512
        assert y2 <= 512
    for a, b in itertools.combinations(extents, 2):
        assert not (a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3])
