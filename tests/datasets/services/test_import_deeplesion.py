"""Importing a table: what goes in, and that nothing goes in twice."""

import json
from pathlib import Path

import pytest
from django.core.management import CommandError
from pytest_django import DjangoAssertNumQueries, Settings

from datasets import dl_info
from datasets.models import Lesion, Patient, Release, Slice, Study
from datasets.services.import_deeplesion import import_deeplesion
from tests.datasets.importing import counts, run_import, table_of
from tests.datasets.tables import row

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _data_folder(settings: Settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path / "data"


def test_a_row_becomes_a_patient_with_all_below(tmp_path: Path) -> None:
    import_deeplesion(table_of(tmp_path, row(7, 2, 3, 40, noisy=True, window=(-160.0, 240.0), split=2)))
    lesion = Lesion.objects.select_related("slice__series__study__patient__collection").get()
    image, series, study = lesion.slice, lesion.slice.series, lesion.slice.series.study
    assert (study.patient.number, study.patient.sex, study.patient.official_split) == (7, "F", 2)
    assert (study.patient.collection.slug, study.patient.collection.kind) == ("deeplesion", "published")
    assert (study.number, study.age) == (2, 62)
    assert (series.number, series.columns, series.rows, series.spacing_x, series.slice_interval) == (
        3,
        64,
        64,
        0.8,
        5.0,
    )
    assert (image.number, image.window_low, image.window_high, image.stored, image.pixel_hash) == (
        40,
        -160,
        240,
        False,
        "",
    )
    assert lesion.points == row().recist
    assert lesion.box == row().box
    assert (lesion.long_px, lesion.short_px, lesion.long_mm, lesion.short_um) == (20, 10, 16, 8000)
    assert (lesion.number, lesion.type, lesion.first_slice, lesion.last_slice) == (1, 5, 38, 42)
    assert (lesion.x, lesion.y, lesion.z, lesion.location_source) == (0.4, 0.5, 0.6, "published")
    assert (lesion.possibly_noisy, lesion.noise_reasons, lesion.flags) == (True, [{"reason": "published"}], [])
    assert (lesion.merged_into, lesion.annotation, lesion.mean_hu) == (None, None, None)


def test_an_unknown_location_has_no_source(tmp_path: Path) -> None:
    import_deeplesion(table_of(tmp_path, row(location=None, age=None, sex="")))
    assert Lesion.objects.values_list("x", "location_source").get() == (None, "")
    assert Study.objects.get().age is None


@pytest.mark.parametrize(
    ("sources", "kept"),
    [
        (["bpr-small-1"], "bpr-small-1"),
        (["published"], "published"),
        (["phantom"], "published"),
        (["bpr-small-1", "bpr-small-2"], "several sources"),
        (["bpr-small-1", "published"], "several sources"),
        (7, "published"),
    ],
)
def test_places_that_a_regressor_computed_are_not_called_published(tmp_path: Path, sources, kept: str) -> None:
    table = table_of(tmp_path, row())
    (table.parent / "manifest.json").write_text(json.dumps({"format_version": 1, "location_sources": sources}))
    import_deeplesion(table)
    assert Lesion.objects.get().location_source == kept


def test_lesions_of_one_slice_are_numbered_in_the_order_of_their_rows(tmp_path: Path) -> None:
    import_deeplesion(table_of(tmp_path, row(at=30), row(slice=11), row(at=32)))
    import_deeplesion(table_of(tmp_path, row(at=34), name="more.csv"))
    found = Lesion.objects.filter(slice__number=10).order_by("number").values_list("number", "x21")
    assert list(found) == [(1, 30.0), (2, 32.0), (3, 34.0)]


def test_running_again_adds_nothing(tmp_path: Path) -> None:
    path = table_of(tmp_path, row(), row(at=32), row(2), row(slice=11))
    import_deeplesion(path)
    before = counts()
    again = import_deeplesion(path)
    assert not any(again.added.values())
    assert again.known == 4
    assert counts() == before


@pytest.mark.parametrize("together", [True, False])
def test_what_a_row_says_otherwise_of_a_lesion_that_is_there_is_told(tmp_path: Path, together: bool) -> None:
    first, other = row(type=3, location=(0.25, 0.5, 0.75)), row(type=5, location=(0.25, 0.5, 0.5))
    if not together:
        import_deeplesion(table_of(tmp_path, first))
    summary = import_deeplesion(table_of(tmp_path, first, other, name="more.csv"))
    assert [str(each) for each in summary.deviations] == [
        "line 3, Coarse_lesion_type: 5, but the collection keeps 3",
        "line 3, Normalized_lesion_location: 0.25, 0.5, 0.5, but the collection keeps 0.25, 0.5, 0.75",
    ]
    assert Lesion.objects.get().type == 3


def test_a_row_that_stands_twice_goes_in_once(tmp_path: Path) -> None:
    summary = import_deeplesion(table_of(tmp_path, row(), row()))
    assert (summary.added["lesions"], summary.known) == (1, 1)


def test_further_rows_add_just_themselves(tmp_path: Path) -> None:
    import_deeplesion(table_of(tmp_path, row()))
    summary = import_deeplesion(table_of(tmp_path, row(), row(slice=12), row(2), name="more.csv"))
    assert summary.added == {"patients": 1, "studies": 1, "series": 1, "slices": 2, "lesions": 2}


def test_rows_may_come_in_any_order(tmp_path: Path) -> None:
    rows = [row(patient, 1, 1, key) for key in range(3, 900) for patient in (1, 2)]
    summary = import_deeplesion(table_of(tmp_path, *rows))
    assert (summary.added["series"], summary.added["slices"], summary.known) == (2, 1794, 0)
    assert not any(import_deeplesion(table_of(tmp_path, *reversed(rows))).added.values())


def test_what_was_not_known_is_completed_by_a_later_row(tmp_path: Path) -> None:
    import_deeplesion(table_of(tmp_path, row(sex="", age=None)))
    import_deeplesion(table_of(tmp_path, row(slice=12, sex="M", age=50), row(slice=13, sex="", age=None)))
    assert Patient.objects.get().sex == "M"
    assert Study.objects.get().age == 50


@pytest.mark.parametrize(
    ("column", "other"),
    [
        ("Train_Val_Test", row(1, 2, split=3)),
        ("Patient_gender", row(1, 2, sex="M")),
        ("Patient_age", row(1, 1, 2, age=63)),
        ("Image_size", row(slice=11, image_size=(128, 64))),
        ("Spacing_mm_px_", row(slice=11, spacing=(0.7, 0.7))),
        ("DICOM_windows", row(at=32, window=(-1350.0, 150.0))),
    ],
)
@pytest.mark.parametrize("together", [True, False])
def test_a_row_that_contradicts_what_is_known_is_bad(
    tmp_path: Path, column: str, other: dl_info.Row, together: bool
) -> None:
    if not together:
        import_deeplesion(table_of(tmp_path, row()))
    summary = import_deeplesion(table_of(tmp_path, row(), other, name="more.csv"))
    (problem,) = summary.bad
    assert (problem.line, problem.column) == (3, column)
    assert "an earlier row of the same" in problem.reason
    assert Lesion.objects.count() == 1
    assert Study.objects.count() == 1


def test_a_series_may_have_two_intervals_and_each_slice_its_own(tmp_path: Path) -> None:
    summary = import_deeplesion(table_of(tmp_path, row(), row(slice=30, slice_interval=1.0)))
    assert summary.bad == []
    assert list(Slice.objects.order_by("number").values_list("slice_interval", flat=True)) == [5.0, 1.0]


def test_two_collections_count_their_patients_apart(tmp_path: Path) -> None:
    import_deeplesion(table_of(tmp_path, row()))
    summary = import_deeplesion(table_of(tmp_path, row(sex="M", split=3)), collection="other")
    assert summary.added["patients"] == 1
    assert Patient.objects.filter(number=1).count() == 2


def test_a_release_takes_the_official_split_and_is_made_once(tmp_path: Path) -> None:
    path = table_of(tmp_path, row(1, split=1), row(2, split=2), row(3, split=3))
    out, _ = run_import(path, release="published")
    assert "release published published" in out
    release = Release.objects.get()
    assert {name: counts["patients"] for name, counts in release.counts.items()} == {"train": 1, "val": 1, "test": 1}
    out, _ = run_import(path, release="published")
    assert "was there already" in out
    with pytest.raises(CommandError, match="there is a release published already"):
        run_import(table_of(tmp_path, row(4)), release="published")
    assert Patient.objects.count() == 3


def test_queries_do_not_grow_with_the_rows(
    tmp_path: Path, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    path = table_of(tmp_path, *(row(number // 3 + 1, slice=number + 10) for number in range(900)))
    with django_assert_max_num_queries(30):
        import_deeplesion(path)


def test_progress_reaches_its_end(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    import_deeplesion(table_of(tmp_path, row(), row(2)), on_rows=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (3, 3)
    assert all(done <= total for done, total in seen)
