"""RECIST axes: lengths, box, order, crossing."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from datasets.geometry import recist

marks = arrays(np.float64, (4, 2), elements=st.floats(-1000, 1000, width=32))
CROSS = [[0, 5], [10, 5], [4, 2], [4, 8]]


def test_lengths_follow_the_spacing_of_each_direction() -> None:
    assert_allclose(recist.diameters(CROSS), [10, 6])
    assert_allclose(recist.diameters(CROSS, (0.5, 2)), [5, 12])


def test_one_call_measures_many() -> None:
    assert recist.diameters(np.zeros((3, 7, 4, 2))).shape == (3, 7, 2)


@given(marks)
def test_the_longer_axis_comes_first_and_no_point_is_lost(points) -> None:
    ordered = recist.long_axis_first(points)
    long, short = recist.diameters(ordered)
    assert long >= short
    assert sorted(map(tuple, ordered)) == sorted(map(tuple, points))


def test_long_in_mm_comes_first_even_where_it_is_short_in_pixels() -> None:
    assert_allclose(recist.long_axis_first(CROSS, (0.5, 2)), [CROSS[2], CROSS[3], CROSS[0], CROSS[1]])


@given(marks)
def test_the_box_holds_every_point_with_its_padding(points) -> None:
    x1, y1, x2, y2 = recist.bounding_box(points)
    assert_allclose([x1 + 5, y1 + 5, x2 - 5, y2 - 5], [*points.min(0), *points.max(0)], atol=1e-9)


def test_axes_cross_within_a_slack() -> None:
    assert recist.cross(CROSS)
    short_of = [[0, 5], [10, 5], [4, 5.5], [4, 8.5]]
    assert recist.cross(short_of, slack=0.2)
    assert not recist.cross(short_of, slack=0.1)


@given(marks, st.floats(0, 0.5))
def test_crossing_does_not_depend_on_the_drawing_direction(points, slack: float) -> None:
    parallel = np.abs(np.linalg.det(recist.axes(points))) < 1e-3
    if not parallel:
        assert recist.cross(points, slack) == recist.cross(points[[2, 3, 0, 1]], slack)


def test_parallel_and_pointlike_axes_do_not_cross() -> None:
    assert not recist.cross([[0, 0], [10, 0], [0, 1], [10, 1]])
    assert not recist.cross([[0, 0], [10, 0], [5, 0], [5, 0]])
