"""Lesions, their outlines and how readers measure them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets import dl_info
from datasets.geometry import recist
from datasets.phantom import codes, plan, radiologist, sites
from datasets.phantom.lesion import Lesion, outline, recist_axes
from datasets.phantom.plane import axial
from datasets.phantom.seeds import rng

STORIES = 36


def lesion(a: float, b: float, c: float = 9.0, turn: float = 0.0) -> Lesion:
    return Lesion(1, 5, "lung", (3.0, -7.0, 50.0), (a, b, c), turn, (), 40.0, 1.0, None, 0.5, 80.0)


@given(a=st.floats(6, 40), ratio=st.floats(0.4, 0.95), turn=st.floats(0, 180))
@settings(max_examples=25, deadline=None)
def test_axes_of_an_ellipse_are_its_diameters(a: float, ratio: float, turn: float) -> None:
    plane = axial((0, 0, 50), 0.8, 200, 1.0)
    axes = recist_axes(outline(lesion(a, a * ratio, turn=turn), plane))
    long, short = recist.diameters(axes) * 0.8
    assert long == pytest.approx(2 * a, rel=0.01)
    assert short == pytest.approx(2 * a * ratio, rel=0.04)


def test_axes_are_perpendicular_before_the_hand_trembles() -> None:
    axes = recist_axes(outline(lesion(20, 12, turn=33), axial((0, 0, 50), 0.8, 200, 1.0)))
    long, short = recist.axes(axes)
    assert abs(float(long @ short)) < 1e-6


def test_slice_beside_a_lesion_has_no_outline() -> None:
    assert len(outline(lesion(10, 8, 5), axial((0, 0, 58), 0.8, 200, 1.0))) == 0


def test_reader_measures_close_to_the_truth() -> None:
    plane = axial((0, 0, 50), 0.8, 200, 1.0)
    found = [radiologist.measure(lesion(15, 10), plane, rng(1, step)) for step in range(40)]
    lengths = np.array([recist.diameters(points) * 0.8 for points in found if points is not None])
    assert len(lengths) == 40
    assert np.median(lengths, axis=0) == pytest.approx([30, 20], rel=0.05)
    assert 0.1 < lengths[:, 0].std() < 2


@pytest.fixture(scope="module")
def stories() -> list[tuple[plan.Patient, list[radiologist.Mark]]]:
    patients = [plan.patient(3, index)[0] for index in range(1, STORIES + 1)]
    return [(patient, radiologist.read(patient)) for patient in patients]


Stories = list[tuple[plan.Patient, list[radiologist.Mark]]]


def good(stories: Stories) -> list[tuple[plan.Patient, radiologist.Mark, Lesion]]:
    return [
        (patient, mark, next(one for one in patient.studies[mark.study - 1].lesions if one.id == mark.lesion))
        for patient, marks in stories
        for mark in marks
        if mark.expected == "lesion"
    ]


def test_median_long_axis_is_near_the_published_one(stories: Stories) -> None:
    lengths = [
        recist.diameters(mark.points)[0] * patient.studies[mark.study - 1].series[mark.series].planes[0].spacing
        for patient, mark, _ in good(stories)
    ]
    assert 16 < np.median(lengths) < 23
    assert np.percentile(lengths, 95) > 35


def test_every_type_occurs_among_twenty_patients(stories: Stories) -> None:
    seen = {one.type for patient, _ in stories[:20] for study in patient.studies for one in study.lesions}
    assert seen == set(range(1, 9))


def test_every_place_and_type_has_a_code() -> None:
    assert set(codes.FINDINGS) == set(dl_info.TYPES) - {-1}
    assert {site.place for kind in sites.FIXED.values() for site in kind} <= set(codes.PLACES)


def test_follow_up_keeps_tracking_uid_and_set_number(stories: Stories) -> None:
    linked = 0
    for patient, marks in stories:
        for number in {mark.lesion for mark in marks}:
            own = [mark for mark in marks if mark.lesion == number and mark.expected == "lesion"]
            assert len({mark.tracking_uid for mark in own}) <= 1
            assert len({mark.label.split(" of ")[1] for mark in own}) <= 1
            linked += len({mark.study for mark in own}) > 1
        assert len({study.day for study in patient.studies}) == len(patient.studies)
    assert linked > 5


def test_some_lesions_are_never_bookmarked(stories: Stories) -> None:
    lesions = {(patient.index, one.id) for patient, _ in stories for one in patient.studies[0].lesions}
    marked = {(patient.index, one.id) for patient, _, one in good(stories)}
    assert 0.5 < len(marked) / len(lesions) < 0.95


def test_long_axis_is_never_shorter_and_axes_cross(stories: Stories) -> None:
    for _, mark, _ in good(stories):
        long, short = recist.diameters(mark.points)
        assert long >= short > 0
        assert recist.cross(mark.points)


def test_every_tool_and_every_mistake_occurs(stories: Stories) -> None:
    marks = [mark for _, own in stories for mark in own]
    assert {mark.tool for mark in marks} == {"recist", "line", "arrow", "ellipse", "text"}
    assert {mark.quality for mark in marks} == {"good", "duplicate", "outside_body", "normal_structure"}
    assert {mark.expected for mark in marks} == {"lesion", "not_recist", "non_axial", "duplicate", "noise"}


def test_studies_become_more_frequent_over_the_years(stories: Stories) -> None:
    years = [study.day.year for patient, _ in stories for study in patient.studies]
    assert min(years) >= 2000
    assert max(years) <= 2016
    assert np.median(years) >= 2010


def test_no_lesion_outgrows_its_place(stories: Stories) -> None:
    lesions = [one for patient, _ in stories for study in patient.studies for one in study.lesions]
    assert max(2 * one.radii[0] / min(one.limit, sites.LARGEST[one.type]) for one in lesions) <= 1 + 1e-9


def test_growth_ends_at_the_limit() -> None:
    assert lesion(30, 20).scaled(1.9).radii == pytest.approx((40, 20 * 4 / 3, 12))


def test_a_lesion_is_flattened_where_it_meets_the_wall() -> None:
    plane = axial((0, 0, 50), 0.8, 200, 1.0)
    border = outline(replace(lesion(20, 20), wall=(0.0, 1.0, 0.0, 8.0)), plane)
    y = (border[:, 1] * 0.8 + plane.origin[1]) + 7.0
    assert y.max() == pytest.approx(8, abs=0.3)
    assert y.min() == pytest.approx(-20, abs=0.3)
