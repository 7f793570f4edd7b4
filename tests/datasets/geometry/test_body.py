"""x and y relative to the body: the mask, and the published numbers it must reproduce."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from PIL import Image

from datasets import dl_info
from datasets.geometry import body
from datasets.geometry.hu import from_png

REAL = Path(__file__).parents[4] / "shared/data/deeplesion"


def slice_with(*boxes: tuple[int, int, int, int], hu: int = 40) -> np.ndarray:
    """Air, and rectangles (left, top, right, bottom; inclusive) of tissue in it."""
    image = np.full((120, 160), -1000, dtype=np.int32)
    for left, top, right, bottom in boxes:
        image[top : bottom + 1, left : right + 1] = hu
    return image


def test_outline_encloses_the_body_inclusive() -> None:
    assert body.outline(slice_with((20, 30, 119, 89))) == body.Outline(20, 30, 119, 89)


def test_sheets_and_thin_shells_are_opened_away() -> None:
    thin = slice_with((20, 30, 119, 89), (0, 100, 159, 105), (5, 0, 10, 119))
    assert body.outline(thin) == body.Outline(20, 30, 119, 89)


def test_an_arm_beside_the_trunk_counts() -> None:
    assert body.outline(slice_with((40, 30, 119, 89), (5, 60, 24, 79))).left == 5


def test_a_body_that_fills_the_image_reaches_its_edges() -> None:
    assert body.outline(np.zeros((64, 80))) == body.Outline(0, 0, 79, 63)


@pytest.mark.parametrize("image", [slice_with(), slice_with((50, 50, 53, 90)), slice_with((50, 50, 56, 56))])
def test_a_slice_without_body_is_named(image: np.ndarray) -> None:
    with pytest.raises(body.NoBody):
        body.outline(image)


def test_lung_and_bowel_do_not_split_the_body() -> None:
    chest = slice_with((20, 30, 119, 89))
    chest[40:80, 30:60] = -850
    assert body.outline(chest) == body.Outline(20, 30, 119, 89)


@given(st.integers(0, 40), st.integers(0, 40), st.floats(0.05, 0.95), st.floats(0.05, 0.95))
def test_position_moves_with_the_patient(right: int, down: int, x: float, y: float) -> None:
    here, there = body.Outline(10, 20, 90, 70), body.Outline(10 + right, 20 + down, 90 + right, 70 + down)
    point = np.array([10 + 80 * x, 20 + 50 * y])
    assert_allclose(body.relative(point, here), body.relative(point + np.array([right, down]), there), atol=1e-12)


def test_x_grows_to_the_image_right_and_y_to_the_back() -> None:
    outline = body.Outline(10, 20, 90, 70)
    x, y = body.relative([[30, 45], [70, 45], [50, 30], [50, 60]], outline).T
    assert x[0] < x[2] < x[1]
    assert y[2] < y[0] < y[3]


def test_outside_the_published_range_stays_within_0_and_1() -> None:
    assert_allclose(body.relative([[-500, -500], [900, 900]], body.Outline(10, 20, 90, 70)), [[0, 0], [1, 1]])


def test_agrees_with_the_published_locations(record_property) -> None:
    if not REAL.is_dir():
        pytest.skip("the real DeepLesion slices are not here (../shared/data/deeplesion)")
    off = []
    for _, row, _ in dl_info.read(REAL / "DL_info.csv"):
        assert row is not None
        path = REAL / "Images_png" / row.folder / dl_info.slice_name(row.slice)
        if path.is_file():
            with Image.open(path) as image:
                outline = body.outline(from_png(np.asarray(image)))
            left, top, right, bottom = row.box
            centre = [(left + right) / 2, (top + bottom) / 2]
            assert body.holds(centre, outline)
            found = body.relative(centre, outline)
            off.append(np.abs(found - row.location[:2]))
    median, worst = np.median(off, axis=0), np.max(off, axis=0)
    record_property("median, worst difference of x and y", f"{median.round(4)}, {worst.round(3)}")
    print(f"{len(off)} lesions: median difference {median.round(4)}, worst {worst.round(3)}")
    assert len(off) == 43
    assert (median < [0.001, 0.001]).all()
    assert (np.quantile(off, 0.8, axis=0) < [0.002, 0.002]).all()
    assert (worst < [0.17, 0.08]).all()
