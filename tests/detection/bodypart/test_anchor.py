"""From raw scores to DeepLesion's scale."""

import csv
from collections import defaultdict
from operator import itemgetter

import numpy as np
import pytest

from detection.bodypart.anchor import MEDIAN_Z, TYPE_MEDIANS, UNIT_MM, fit
from tests.detection.releases import REAL, needs_real

SLOPE = 0.01


def test_published_locations_win_and_outliers_do_not() -> None:
    raw = np.linspace(-5, 5, 60)
    z = (0.04 * raw + 0.6).tolist()
    z[3], z[40] = 0.99, 0.01
    anchor = fit(raw.tolist(), z, [5] * 60, SLOPE)
    assert (anchor.method, anchor.lesions) == ("locations", 60)
    assert anchor.scale == pytest.approx(0.04, rel=0.02)
    assert anchor.offset == pytest.approx(0.6, abs=0.005)


def test_types_give_the_zero_and_millimetres_the_scale() -> None:
    scale = 1 / (UNIT_MM * SLOPE)
    types = [5, 4, 8] * 10
    raw = [(TYPE_MEDIANS[kind] - 0.2) / scale for kind in types]
    anchor = fit(raw, [None] * 30, types, SLOPE)
    assert anchor.method == "types"
    np.testing.assert_allclose(anchor.map(np.array(raw)), [TYPE_MEDIANS[kind] for kind in types], atol=1e-9)


def test_a_type_that_lies_elsewhere_than_usual_does_not_move_the_zero() -> None:
    scale = 1 / (UNIT_MM * SLOPE)
    types = [5, 4, 8] * 10 + [7] * 9
    z = [TYPE_MEDIANS[kind] + 0.25 * (kind == 7) for kind in types]
    anchor = fit([value / scale for value in z], [None] * len(z), types, SLOPE)
    assert anchor.offset == pytest.approx(0, abs=1e-9)


def test_without_either_the_median_stands_where_deeplesions_does() -> None:
    raw = np.linspace(0, 8, 31)
    anchor = fit(raw.tolist(), [None] * 31, [None] * 31, SLOPE)
    assert anchor.method == "median"
    assert anchor.map(np.median(raw)) == pytest.approx(MEDIAN_Z)
    assert anchor.map(np.array([SLOPE * UNIT_MM]))[0] - anchor.map(np.array([0.0]))[0] == pytest.approx(1.0)


def test_locations_that_run_against_the_scores_are_not_believed() -> None:
    raw = np.linspace(0, 8, 31)
    assert fit(raw.tolist(), (0.9 - 0.1 * raw).tolist(), [None] * 31, SLOPE).method == "median"


@needs_real
def test_unit_and_medians_are_those_of_the_published_test_split() -> None:
    of_type, of_series = defaultdict(list), defaultdict(list)
    with (REAL / "DL_info.csv").open() as file:
        for row in csv.DictReader(file):
            if row["Train_Val_Test"] != "3":
                continue
            z = float(row["Normalized_lesion_location"].split(",")[2])
            of_type[int(row["Coarse_lesion_type"])].append(z)
            mm = int(row["Key_slice_index"]) * float(row["Spacing_mm_px_"].split(",")[2])
            of_series[row["File_name"].rpartition("_")[0]].append((mm, z))
    assert {kind: round(float(np.median(each)), 3) for kind, each in of_type.items()} == TYPE_MEDIANS
    assert round(float(np.median([z for each in of_type.values() for z in each])), 3) == MEDIAN_Z
    ends = [(min(each, key=itemgetter(0)), max(each, key=itemgetter(0))) for each in of_series.values()]
    units = [(low[0] - top[0]) / (low[1] - top[1]) for top, low in ends if low[0] - top[0] >= 60]
    assert (len(units), round(float(np.median(units)))) == (753, UNIT_MM)
