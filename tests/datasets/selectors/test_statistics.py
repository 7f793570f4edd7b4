"""Counts and distributions against rows counted by hand."""

import pytest

from datasets.models import Lesion
from datasets.selectors import annotations, releases, statistics
from datasets.selectors import lesions as lesion_selectors
from datasets.selectors.visibility import Visibility
from tests import factories


@pytest.fixture
def three(db: None) -> list[Lesion]:
    """Make two lesions on one slice and one of another patient; spacing is 0.8 mm."""
    first = factories.make_slice()
    patient = factories.make_patient(sex="M")
    second = factories.make_slice(
        series=factories.make_series(study=factories.make_study(patient=patient, age=71), slice_interval=1.0)
    )
    return [
        factories.make_lesion(slice=first, long_px=20.0, short_px=10.0, type=5, x=0.5, y=0.5, z=0.5),
        factories.make_lesion(slice=first, long_px=12.5, short_px=12.5, type=5),
        factories.make_lesion(slice=second, long_px=200.0, short_px=100.0, type=-1),
    ]


def test_headline(three: list[Lesion]) -> None:
    found = statistics.headline(Lesion.objects.all())
    assert found == statistics.Headline(lesions=3, slices=2, studies=2, patients=2, located=1)
    assert found.unlocated == 2


def test_sizes_are_binned_by_the_mean_with_the_lower_edge_inside(three: list[Lesion]) -> None:
    # Means: 12 mm; exactly 10 mm; 120 mm.
    table = statistics.sizes_by_type(Lesion.objects.all())
    assert table[5] == [0, 2, 0, 0, 0, 0, 0, 0]
    assert table[-1] == [0, 0, 0, 0, 0, 0, 0, 1]
    assert sum(map(sum, table.values())) == 3


def test_types_name_those_without_lesions_too(three: list[Lesion]) -> None:
    found = statistics.types(Lesion.objects.all())
    assert (found[5], found[-1], found[1]) == (2, 1, 0)


def test_boxes_are_counted_in_squares(three: list[Lesion]) -> None:
    # Padded by 5 px on every side: 30 x 20 px, 22.5 x 22.5 px, 210 x 110 px at 0.8 mm.
    found = statistics.box_sizes(Lesion.objects.all())
    assert found
    assert (found.step, found.limit, found.larger) == (5, 170, 0)
    assert found.grid[3][4] == 1
    assert found.grid[3][3] == 1
    assert found.grid[17][33] == 1
    assert sum(map(sum, found.grid)) == 3
    assert found.median == pytest.approx((24, 18))
    assert found.largest == pytest.approx((168, 88))


def test_the_grid_of_boxes_follows_the_data_and_leaves_a_few_giants_out(three: list[Lesion]) -> None:
    small = statistics.box_sizes(Lesion.objects.exclude(pk=three[2].pk))
    assert small
    assert (small.step, small.limit) == (1, 25)
    for number in range(3, 400):
        factories.make_lesion(slice=three[0].slice, number=number, long_px=20.0, short_px=10.0)
    found = statistics.box_sizes(Lesion.objects.all())
    assert found
    assert (found.limit, found.larger) == (25, 1)
    assert sum(map(sum, found.grid)) == 399
    assert statistics.box_sizes(Lesion.objects.none()) is None


def test_intervals_prefer_the_slices_own(three: list[Lesion]) -> None:
    three[0].slice.__class__.objects.filter(pk=three[0].slice_id).update(slice_interval=2.5)
    assert statistics.intervals(Lesion.objects.all()) == [(1.0, 1), (2.5, 2)]


def test_intervals_are_counted_together_where_they_differ_by_a_hair(three: list[Lesion]) -> None:
    places = type(three[0].slice).objects
    places.filter(pk=three[0].slice_id).update(slice_interval=4.93844)
    places.filter(pk=three[2].slice_id).update(slice_interval=4.9412)
    unknown = factories.make_series(slice_interval=None)
    factories.make_lesion(slice=factories.make_slice(series=unknown))
    fine = factories.make_series(slice_interval=0.625)
    factories.make_lesion(slice=factories.make_slice(series=fine))
    assert statistics.intervals(Lesion.objects.all()) == [(0.625, 1), (4.94, 3), (None, 1)]


def test_ages_count_patients_not_lesions(three: list[Lesion]) -> None:
    table = statistics.ages(Lesion.objects.all())
    assert table["F"][6] == 1
    assert table["M"][7] == 1
    assert sum(map(sum, table.values())) == 2


@pytest.mark.parametrize(
    ("lengths", "median"), [([], None), ([10.0], 8.0), ([10.0, 20.0], 12.0), ([30, 10, 20], 16.0)]
)
def test_median(db: None, lengths: list[float], median: float | None) -> None:
    for length in lengths:
        factories.make_lesion(long_px=length, short_px=5.0)
    assert statistics.median(Lesion.objects.all(), "long_um") == median


def test_bookmarks_are_counted_with_what_became_of_them(db: None) -> None:
    collection = factories.make_collection()
    for values in (
        {"year": 2014, "study": "a"},
        {"year": 2014, "study": "a", "tool": "line", "reason": "not_recist"},
        {"year": 2014, "study": "b", "modality": "MR", "reason": "other_modality"},
        {"year": 2015, "study": "c", "reason": "non_axial"},
        {"year": None, "study": "d", "modality": "", "reason": "unresolved_image"},
    ):
        factories.make_annotation(collection=collection, **values)
    rows = annotations.seen(Visibility.EVERYTHING)
    assert annotations.studies_per_year(rows) == [(2014, 2), (2015, 1)]
    assert annotations.modalities(rows) == [("CT", 3), ("MR", 1), ("unknown", 1)]
    assert annotations.tools(rows) == [("RECIST diameters", 1, 1), ("line", 0, 1)]
    assert sum(count for _, count in annotations.reasons(rows)) == 4
    assert not annotations.seen(Visibility.PUBLISHED).exists()


def test_merged_lesions_are_not_listed_of_their_own(three: list[Lesion]) -> None:
    Lesion.objects.filter(pk=three[1].pk).update(merged_into=three[0])
    assert set(lesion_selectors.listed(Visibility.EVERYTHING)) == {three[0], three[2]}


def test_a_sample_is_the_same_all_day_and_has_pictures(db: None) -> None:
    stored = [factories.make_lesion(slice=factories.make_slice(stored=True)) for _ in range(6)]
    factories.make_lesion()
    rows = Lesion.objects.all()
    first = lesion_selectors.sample(rows, 4, seed=1)
    assert len(first) == 4
    assert set(first) <= set(stored)
    assert lesion_selectors.sample(rows, 4, seed=1) == first
    assert set(lesion_selectors.sample(rows, 99, seed=2)) == set(stored)
    assert lesion_selectors.sample(Lesion.objects.none(), 4, seed=1) == []
    Lesion.objects.filter(pk=stored[0].pk).update(possibly_noisy=True)
    Lesion.objects.filter(pk=stored[1].pk).update(type=-1)
    shown = lesion_selectors.sample(rows, 99, seed=2)
    assert stored[0] not in shown
    assert shown[-1] == stored[1]


def test_types_per_split_of_a_release(three: list[Lesion]) -> None:
    release = factories.make_release(three[:2], split=3)
    assert releases.types_per_split(release)[5] == {1: 0, 2: 0, 3: 2}
