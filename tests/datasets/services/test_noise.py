"""What speaks against a mark is told with its measure and threshold, and good marks are left in peace."""

import math
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from benchmarks import noise as benchmark
from datasets import dl_info
from datasets.geometry.surroundings import Surroundings, surroundings
from datasets.models import Lesion
from datasets.services.measure import measured
from datasets.services.noise import noise_reasons
from datasets.thresholds import Thresholds, read
from deeplesion_site import environment
from tests.datasets.tables import REAL, needs_real_data

LIMITS = Thresholds()
SPACING = (0.8, 0.8)
ORDINARY = {"mean_hu": 40.0, "std_hu": 25.0, "min_hu": -60.0, "max_hu": 130.0}
AMID = Surroundings(outside=0.0, noise=9.0, distinctness=60.0)


def cross(long=30.0, short=20.0, angle=90.0):
    """The points of two axes that cross in their middles."""
    c, s = math.cos(math.radians(angle)) * short / 2, math.sin(math.radians(angle)) * short / 2
    return [(200 - long / 2, 150), (200 + long / 2, 150), (200 - c, 150 - s), (200 + c, 150 + s)]


def reasons_of(points, around=AMID, spacing=SPACING, **values):
    return noise_reasons(Lesion(**{**ORDINARY, **measured(points, spacing, None, around), **values}), spacing, LIMITS)


@pytest.mark.parametrize(
    ("points", "values", "reason"),
    [
        (cross(), {}, None),
        (cross(long=1, short=0.5), {}, None),
        (cross(long=250, short=240), {}, "too large"),
        (cross(long=80, short=7.5), {}, "too flat"),
        (cross(long=60, short=5), {"box_y1": 120.0, "box_y2": 180.0}, "too thin"),
        (cross(angle=40), {}, "axes askew"),
        (cross(), {"mean_hu": -985.0}, "too dark"),
        (cross(), {"std_hu": 3.0, "noise_hu": 1.0}, "too even"),
        (cross(), {"min_hu": 20.0, "max_hu": 50.0}, "too small a range"),
        (cross(), {"outside_body": 0.9}, "outside the body"),
        (cross(long=5, short=4), {"distinctness": 4.0}, "a speck without contrast"),
        (cross(long=20, short=18), {"distinctness": 4.0}, None),
        (cross(), {"std_hu": 10.0, "noise_hu": 9.9}, "nothing but pixel noise"),
    ],
)
def test_noise_is_told_with_its_measure_and_threshold(points, values, reason):
    reasons = reasons_of(points, **values)
    assert [each["reason"] for each in reasons] == ([reason] if reason else [])
    assert all(each["value"] != each["threshold"] for each in reasons)


def test_a_box_smaller_than_any_published_one_is_too_small():
    assert [each["reason"] for each in reasons_of(cross(long=1, short=0.5), spacing=(0.4, 0.4))] == ["too small"]


def test_a_lesion_whose_pixels_were_not_seen_is_judged_by_its_shape_alone():
    unseen = dict.fromkeys(ORDINARY)
    assert reasons_of(cross(), around=None, **unseen) == []


def test_the_angle_between_the_axes_is_that_in_millimetres():
    points = [(100, 100), (140, 100), (110, 90), (130, 110)]
    assert not reasons_of(points, spacing=(0.5, 1.0))
    askew = reasons_of(points, spacing=(1.0, 0.5))
    assert [each["reason"] for each in askew] == ["axes askew"]
    assert askew[0]["value"] == pytest.approx(26.565, abs=1e-3)


def slab(inside=60.0, around=0.0, noise=8.0):
    """A body of 200 by 200 pixels in air, with a bright disc of 6 pixels in its middle."""
    random = np.random.default_rng(1)
    hu = np.full((256, 256), -1000.0)
    hu[28:228, 28:228] = around
    y, x = np.mgrid[:256, :256]
    hu[np.hypot(x - 128, y - 128) <= 6] = inside
    return np.rint(hu + random.normal(0, noise, hu.shape)).astype(np.int32)


def at(x, y, half=5.0):
    return [(x - half, y), (x + half, y), (x, y - half), (x, y + half)]


def test_contrast_is_measured_in_units_of_the_noise():
    found = surroundings(slab(), at(128, 128))
    assert found.noise == pytest.approx(8, rel=0.15)
    assert found.distinctness == pytest.approx(60 * math.sqrt(57) / 8, rel=0.25)
    assert surroundings(slab(), at(80, 80)).distinctness < 5


@pytest.mark.parametrize(("x", "y", "share"), [(128, 128, 0.0), (10, 128, 1.0), (128, 245, 1.0), (28, 128, 0.5)])
def test_what_lies_beside_the_body_is_known_by_its_share(x, y, share):
    assert surroundings(slab(), at(x, y)).outside == pytest.approx(share, abs=0.06)


def test_lungs_are_inside_the_body_though_they_hold_air():
    hu = slab()
    hu[60:160, 50:110] = -850
    assert surroundings(hu, at(80, 110)).outside == 0


def test_a_mark_beyond_the_image_has_no_surroundings():
    assert surroundings(slab(), at(-400, -400)) is None


def test_most_planted_mistakes_of_a_phantom_hospital_are_flagged_and_hardly_a_good_mark():
    counts = benchmark.flagged(5, (1, 2, 3, 9, 10))
    assert counts[True, True] / (counts[True, True] + counts[True, False]) >= benchmark.PLANTED_AT_LEAST
    assert counts[False, True] / (counts[False, True] + counts[False, False]) <= benchmark.GOOD_AT_MOST
    assert counts[True, True] == 4


@needs_real_data
def test_no_good_published_row_but_a_handful_is_doubtful_by_its_shape():
    flagged = {True: 0, False: 0}
    rows = {True: 0, False: 0}
    for _, row, _ in dl_info.read(REAL / "DL_info.csv"):
        points = np.reshape(row.recist, (4, 2))
        lesion = Lesion(**measured(points, row.spacing, None))
        rows[row.noisy] += 1
        flagged[row.noisy] += bool(noise_reasons(lesion, row.spacing, LIMITS))
    assert flagged[False] / rows[False] < 0.002
    assert flagged[True] >= 2


def test_every_threshold_is_read_from_the_environment_and_documented(monkeypatch):
    table = (Path(__file__).parents[3] / "docs" / "settings.md").read_text()
    for field in fields(Thresholds):
        monkeypatch.setenv(field.name.upper(), "0.125")
        assert f"`{field.name.upper()}` | `{field.default:g}`" in table
    assert set(vars(read(environment.number)).values()) == {0.125}
