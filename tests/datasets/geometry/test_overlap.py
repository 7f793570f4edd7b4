"""Intersection over union."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.geometry.overlap import iou

numbers = st.floats(0, 100)


@st.composite
def boxes(draw: st.DrawFn) -> list[float]:
    x, y, width, height = draw(numbers), draw(numbers), draw(st.floats(1, 50)), draw(st.floats(1, 50))
    return [x, y, x + width, y + height]


@given(boxes(), boxes())
def test_overlap_is_symmetric_and_a_share(a: list[float], b: list[float]) -> None:
    there, back = iou([a], [b])[0, 0], iou([b], [a])[0, 0]
    assert there == pytest.approx(back)
    assert 0 <= there <= 1


@given(boxes())
def test_a_box_overlaps_itself_wholly(box: list[float]) -> None:
    assert iou([box], [box])[0, 0] == pytest.approx(1)


def test_known_overlap() -> None:
    assert iou([[0, 0, 2, 2]], [[1, 0, 3, 2], [2, 0, 4, 2], [5, 5, 6, 6]])[0] == pytest.approx([1 / 3, 0, 0])


def test_every_pair_is_compared_and_nothing_gives_nothing() -> None:
    assert iou(np.zeros((3, 4)), np.zeros((2, 4))).tolist() == [[0, 0]] * 3
    assert iou([], [[0, 0, 1, 1]]).shape == (0, 1)
