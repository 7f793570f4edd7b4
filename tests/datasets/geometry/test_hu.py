"""Hounsfield units as 16-bit grey values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.geometry import hu


@given(st.integers(-32768, 32767))
def test_every_unit_comes_back(value: int) -> None:
    assert hu.from_png(hu.to_png(value)) == value


def test_values_are_rounded_and_clipped() -> None:
    assert hu.to_png([-40000.0, -0.4, 0.6, 99999.0]).tolist() == [0, 32768, 32769, 65535]
    assert hu.to_png([0]).dtype == np.uint16


def test_a_window_spans_black_to_white() -> None:
    assert hu.window([-2000, -1024, 1023.5, 3071, 5000], -1024, 3071).tolist() == [0, 0, 128, 255, 255]


def test_an_empty_window_is_refused() -> None:
    with pytest.raises(ValueError, match="low < high"):
        hu.window([0], 5, 5)
