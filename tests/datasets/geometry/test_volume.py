"""Slices in the patient: places, order from head to feet, canonical orientation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from datasets.geometry.volume import (
    BadPlane,
    Flips,
    ImagePlane,
    NotCanonical,
    OffPlane,
    canonical,
    order_head_to_feet,
    stack,
)

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def plane(z: float = 0.0, orientation=AXIAL, spacing=(0.8, 0.8), rows: int = 40, columns: int = 50) -> ImagePlane:
    return ImagePlane.from_dicom((-100.0, -120.0, z), orientation, spacing, rows, columns)


def tilted(degrees: float) -> tuple[float, ...]:
    """Rows lean along z, as with a tilted gantry."""
    angle = math.radians(degrees)
    return (1.0, 0.0, 0.0, 0.0, math.cos(angle), math.sin(angle))


angles = st.floats(-math.pi, math.pi)
coordinates = st.floats(-500, 500)


@st.composite
def planes(draw: st.DrawFn) -> ImagePlane:
    a, b, c = draw(angles), draw(angles), draw(angles)
    about_z = np.array([[math.cos(a), -math.sin(a), 0], [math.sin(a), math.cos(a), 0], [0, 0, 1]])
    about_y = np.array([[math.cos(b), 0, math.sin(b)], [0, 1, 0], [-math.sin(b), 0, math.cos(b)]])
    about_x = np.array([[1, 0, 0], [0, math.cos(c), -math.sin(c)], [0, math.sin(c), math.cos(c)]])
    turn = about_z @ about_y @ about_x
    spacing = draw(st.tuples(st.floats(0.1, 3), st.floats(0.1, 3)))
    position = draw(st.tuples(coordinates, coordinates, coordinates))
    return ImagePlane.from_dicom(position, (*turn[:, 0], *turn[:, 1]), spacing, 64, 48)


@given(planes(), st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=4))
def test_a_pixel_placed_in_the_patient_comes_back(image: ImagePlane, points: list[tuple[float, float]]) -> None:
    assert_allclose(image.to_pixel(image.to_patient(points), slice_spacing=0.1), points, atol=1e-6)


def flipped(plane: ImagePlane, flips: Flips) -> ImagePlane:
    """The plane of the flipped image, so that the same patient point keeps its place."""
    corner = [plane.columns - 1 if flips.columns else 0, plane.rows - 1 if flips.rows else 0]
    return ImagePlane(
        tuple(plane.to_patient([corner])[0]),
        tuple(np.multiply(plane.x, -1 if flips.columns else 1)),
        tuple(np.multiply(plane.y, -1 if flips.rows else 1)),
        plane.spacing,
        plane.rows,
        plane.columns,
    )


@given(planes(), st.booleans(), st.booleans(), st.tuples(coordinates, coordinates))
def test_a_flip_moves_no_point_of_the_patient(image: ImagePlane, left: bool, top: bool, point) -> None:
    flips = Flips(columns=left, rows=top)
    moved = flips.apply_to_points([point], image)
    assert_allclose(flipped(image, flips).to_patient(moved), image.to_patient([point]), atol=1e-6)
    assert_allclose(flips.apply_to_points(moved, image), [point], atol=1e-9)


def test_column_follows_the_second_number_of_pixel_spacing() -> None:
    image = plane(spacing=(2.0, 0.5))
    assert_allclose(image.to_patient([[10, 10]]), [[-95, -100, 0]])
    assert_allclose(image.to_pixel([[-95, -100, 0]], 1), [[10, 10]])


def test_image_position_is_the_centre_of_the_first_pixel() -> None:
    assert_allclose(plane(7).to_pixel([[-100, -120, 7]], 5), [[0, 0]])


def test_a_point_beyond_half_the_slice_spacing_is_off_plane() -> None:
    assert_allclose(plane().to_pixel([[-100, -120, 2.5]], 5), [[0, 0]])
    with pytest.raises(OffPlane, match=r"2\.6 mm"):
        plane().to_pixel([[-100, -120, 2.6]], 5)


@pytest.mark.parametrize(
    ("orientation", "degrees"),
    [(AXIAL, 0), ((-1, 0, 0, 0, -1, 0), 0), (tilted(20), 20), ((0, 1, 0, 0, 0, -1), 90), ((1, 0, 0, 0, 0, -1), 90)],
)
def test_angle_to_axial(orientation, degrees: float) -> None:
    assert plane(orientation=orientation).angle_to_axial == pytest.approx(degrees, abs=1e-6)


@pytest.mark.parametrize(
    "orientation", [AXIAL, (-1, 0, 0, 0, -1, 0), (-1, 0, 0, 0, 1, 0), (1, 0, 0, 0, -1, 0), tilted(-25), tilted(25)]
)
def test_slices_run_from_head_to_feet_whatever_the_orientation(orientation) -> None:
    heights = [3.0, 12.0, -9.0, 0.0, 6.0]
    order = order_head_to_feet([plane(z, orientation) for z in heights])
    assert [heights[i] for i in order] == sorted(heights, reverse=True)


def test_no_slices_have_no_order() -> None:
    assert order_head_to_feet([]) == []


def test_interval_is_the_median_step_and_gaps_are_named() -> None:
    found = stack([plane(z) for z in (0, 5, 10, 20, 25)])
    assert (found.interval, found.gaps, found.duplicates) == (5, (1,), ())


@pytest.mark.parametrize(
    ("places", "interval", "gaps"),
    [([0, 5, 10, 15, 25, 35, 45], 5, (0, 1, 2)), ([0, 5, 10, 15, 17.5, 20, 22.5], 2.5, (3, 4, 5))],
)
def test_the_interval_is_one_that_there_is(places: list[float], interval: float, gaps: tuple[int, ...]) -> None:
    found = stack([plane(z) for z in places])
    assert (found.interval, found.gaps) == (interval, gaps)


def test_duplicate_positions_neither_crash_nor_shrink_the_interval() -> None:
    found = stack([plane(z) for z in (0, 0, 5, 5, 10, 10)])
    assert (found.interval, found.gaps, found.duplicates) == (5, (), (1, 3, 5))
    assert found.order == (4, 5, 2, 3, 0, 1)


def test_one_slice_and_copies_of_one_slice_have_no_interval() -> None:
    assert stack([plane()]).interval is None
    assert stack([plane(), plane()]).interval is None


def test_gantry_tilt_is_the_angle_between_normal_and_table() -> None:
    # The table moves along z whatever the gantry does.
    assert stack([plane(z, tilted(15)) for z in range(5)]).tilt == pytest.approx(15)
    assert stack([plane(z) for z in range(5)]).tilt == pytest.approx(0)
    assert stack([plane(z, tilted(15)) for z in range(5)]).interval == pytest.approx(math.cos(math.radians(15)))


@pytest.mark.parametrize(
    ("orientation", "left", "top"),
    [(AXIAL, False, False), ((-1, 0, 0, 0, 1, 0), True, False), ((-1, 0, 0, 0, -1, 0), True, True),
     ((1, 0, 0, 0, -1, 0), False, True), (tilted(20), False, False)],
)  # fmt: skip
def test_canonical_turns_x_to_the_left_and_y_to_the_back(orientation, left: bool, top: bool) -> None:
    image = plane(orientation=orientation)
    flips = canonical(image)
    assert (flips.columns, flips.rows) == (left, top)
    turned = flipped(image, flips)
    assert turned.x[0] > 0
    assert turned.y[1] > 0
    pixels = np.arange(40 * 50).reshape(40, 50)
    column, row = flips.apply_to_points([[3, 7]], image)[0].astype(int)
    assert flips.apply(pixels)[row, column] == pixels[7, 3]


@pytest.mark.parametrize("orientation", [(0, 1, 0, 1, 0, 0), (0, 1, 0, 0, 0, -1), (1, 0, 0, 0, 0, -1)])
def test_a_turned_image_is_refused(orientation) -> None:
    with pytest.raises(NotCanonical):
        canonical(plane(orientation=orientation))


@pytest.mark.parametrize(
    "values",
    [
        ((0, 0), AXIAL, (1, 1), 4, 4),
        ((0, 0, 0), (1, 0, 0, 1, 0, 0), (1, 1), 4, 4),
        ((0, 0, 0), (0, 0, 0, 0, 0, 0), (1, 1), 4, 4),
        ((0, 0, math.nan), AXIAL, (1, 1), 4, 4),
        ((0, 0, 0), AXIAL, (0, 1), 4, 4),
        ((0, 0, 0), AXIAL, (), 4, 4),
        ((0, 0, 0), AXIAL, (1, 1), 0, 4),
    ],
)
def test_contradictory_geometry_is_no_plane(values) -> None:
    with pytest.raises(BadPlane):
        ImagePlane.from_dicom(*values)
