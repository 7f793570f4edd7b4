"""Curation marks noise with its measure, merges what was marked twice, and can run again."""

import math
from itertools import chain

import pytest

from datasets.models import Collection, Lesion
from datasets.services.average import aligned
from datasets.services.curate import curate
from datasets.services.measure import measured
from tests.factories import make_lesion, make_slice

pytestmark = pytest.mark.django_db

SPACING = (0.8, 0.8)


def cross(x=200.0, y=150.0, long=30.0, short=20.0, turn=0.0):
    """The points of a cross with its long axis turned by some degrees."""
    c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    ends = ((-long / 2, 0), (long / 2, 0), (0, -short / 2), (0, short / 2))
    return [(x + a * c - b * s, y + a * s + b * c) for a, b in ends]


def lesion_at(on, points, **values):
    number = on.lesions.count() + 1
    return make_lesion(
        slice=on,
        number=number,
        **{
            "mean_hu": 40.0,
            "std_hu": 25.0,
            "min_hu": -60.0,
            "max_hu": 130.0,
            **measured(points, SPACING, None),
            **values,
        },
    )


def test_two_marks_that_overlap_by_more_than_60_percent_become_one_average():
    on = make_slice()
    first, second = lesion_at(on, cross(200)), lesion_at(on, cross(202))
    counts = curate(collection=on.series.study.patient.collection)
    assert counts["merged"] == 2
    average = Lesion.objects.get(slice=on, merged_into=None)
    assert set(average.merged_from.all()) == {first, second}
    assert (average.x11, average.x12, average.y11) == pytest.approx((186, 216, 150))
    assert average.long_px == pytest.approx(30)
    assert average.box == pytest.approx((181, 135, 221, 165))


def test_marks_that_only_touch_stay_apart():
    on = make_slice()
    lesion_at(on, cross(200))
    lesion_at(on, cross(240))
    assert curate(collection=on.series.study.patient.collection)["merged"] == 0
    assert Lesion.objects.filter(merged_into=None).count() == 2


def test_axes_drawn_from_the_other_end_average_to_the_same_lesion():
    points = cross()
    reversed_ends = [points[1], points[0], points[3], points[2]]
    swapped_axes = [points[2], points[3], points[0], points[1]]
    named = list(aligned([tuple(chain.from_iterable(each)) for each in (points, reversed_ends, swapped_axes)]))
    for each in named[1:]:
        assert each == pytest.approx(named[0])


def test_a_third_mark_that_comes_later_joins_the_average_with_equal_weight():
    on = make_slice()
    collection = on.series.study.patient.collection
    for x in (200.0, 203.0):
        lesion_at(on, cross(x))
    curate(collection=collection)
    lesion_at(on, cross(206.0))
    curate(collection=collection)
    average = Lesion.objects.get(slice=on, merged_into=None)
    assert average.merged_from.count() == 4, "three marks and the earlier average"
    assert (average.x11 + average.x12) / 2 == pytest.approx(203)


def test_curating_again_changes_nothing():
    on = make_slice()
    collection = on.series.study.patient.collection
    lesion_at(on, cross(200))
    lesion_at(on, cross(202))
    lesion_at(on, cross(300), mean_hu=-990.0)
    curate(collection=collection)
    before = list(Lesion.objects.order_by("pk").values())
    assert curate(collection=collection)["merged"] == 0
    assert list(Lesion.objects.order_by("pk").values()) == before


def test_a_published_dataset_keeps_the_curation_it_came_with():
    on = make_slice()
    collection = on.series.study.patient.collection
    Collection.objects.filter(pk=collection.pk).update(kind=Collection.Kind.PUBLISHED)
    collection.refresh_from_db()
    lesion = lesion_at(on, cross(), mean_hu=-990.0, possibly_noisy=False)
    curate(collection=collection)
    lesion.refresh_from_db()
    assert not lesion.possibly_noisy


def test_overlap_through_a_third_mark_makes_one_group():
    on = make_slice()
    linked = [lesion_at(on, cross(x, long=60, short=50)) for x in (200, 213, 226)]
    curate(collection=on.series.study.patient.collection)
    assert set(Lesion.objects.get(merged_into=None).merged_from.all()) == set(linked)
