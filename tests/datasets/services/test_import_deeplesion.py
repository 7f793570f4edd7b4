"""Importing a table: what goes in, what is left out and why, and that nothing goes in twice or by half."""

import io
import re
import subprocess
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import DataError
from pytest_django import DjangoAssertNumQueries, Settings

from datasets import dl_info
from datasets.management.failures import Incomplete, one_sentence
from datasets.models import Collection, Lesion, Patient, Release, Series, Slice, Study
from datasets.services.import_deeplesion import BadRows, ImportRefused, import_deeplesion
from datasets.services.import_images import NoImages
from datasets.storage import slice_root
from tests.datasets.tables import cells, draw, row, write
from tests.factories import make_collection
from tests.peers.disk import small_disk

pytestmark = pytest.mark.django_db

TABLES = (Collection, Patient, Study, Series, Slice, Lesion)


@pytest.fixture(autouse=True)
def _data_folder(settings: Settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path / "data"


def _table(folder: Path, *rows: dl_info.Row | dict[str, str], name: str = "DL_info.csv") -> Path:
    return write(folder / name, rows)


def _run(*arguments: object, **options: object) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("import_deeplesion", *map(str, arguments), stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


def _counts() -> list[int]:
    return [table.objects.count() for table in TABLES]


def test_a_row_becomes_a_patient_with_all_below(tmp_path: Path) -> None:
    import_deeplesion(_table(tmp_path, row(7, 2, 3, 40, noisy=True, window=(-160.0, 240.0), split=2)))
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
    import_deeplesion(_table(tmp_path, row(location=None, age=None, sex="")))
    assert Lesion.objects.values_list("x", "location_source").get() == (None, "")
    assert Study.objects.get().age is None


def test_lesions_of_one_slice_are_numbered_in_the_order_of_their_rows(tmp_path: Path) -> None:
    import_deeplesion(_table(tmp_path, row(at=30), row(slice=11), row(at=32)))
    import_deeplesion(_table(tmp_path, row(at=34), name="more.csv"))
    found = Lesion.objects.filter(slice__number=10).order_by("number").values_list("number", "x21")
    assert list(found) == [(1, 30.0), (2, 32.0), (3, 34.0)]


def test_running_again_adds_nothing(tmp_path: Path) -> None:
    path = _table(tmp_path, row(), row(at=32), row(2), row(slice=11))
    import_deeplesion(path)
    before = _counts()
    again = import_deeplesion(path)
    assert not any(again.added.values())
    assert again.known == 4
    assert _counts() == before


def test_a_row_that_stands_twice_goes_in_once(tmp_path: Path) -> None:
    summary = import_deeplesion(_table(tmp_path, row(), row()))
    assert (summary.added["lesions"], summary.known) == (1, 1)


def test_further_rows_add_just_themselves(tmp_path: Path) -> None:
    import_deeplesion(_table(tmp_path, row()))
    summary = import_deeplesion(_table(tmp_path, row(), row(slice=12), row(2), name="more.csv"))
    assert summary.added == {"patients": 1, "studies": 1, "series": 1, "slices": 2, "lesions": 2}


def test_rows_may_come_in_any_order(tmp_path: Path) -> None:
    rows = [row(patient, 1, 1, key) for key in range(3, 900) for patient in (1, 2)]
    summary = import_deeplesion(_table(tmp_path, *rows))
    assert (summary.added["series"], summary.added["slices"], summary.known) == (2, 1794, 0)
    assert not any(import_deeplesion(_table(tmp_path, *reversed(rows))).added.values())


def test_what_was_not_known_is_completed_by_a_later_row(tmp_path: Path) -> None:
    import_deeplesion(_table(tmp_path, row(sex="", age=None)))
    import_deeplesion(_table(tmp_path, row(slice=12, sex="M", age=50), row(slice=13, sex="", age=None)))
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
        import_deeplesion(_table(tmp_path, row()))
    summary = import_deeplesion(_table(tmp_path, row(), other, name="more.csv"))
    (problem,) = summary.bad
    assert (problem.line, problem.column) == (3, column)
    assert "an earlier row of the same" in problem.reason
    assert Lesion.objects.count() == 1
    assert Study.objects.count() == 1


def test_a_series_may_have_two_intervals_and_each_slice_its_own(tmp_path: Path) -> None:
    summary = import_deeplesion(_table(tmp_path, row(), row(slice=30, slice_interval=1.0)))
    assert summary.bad == []
    assert list(Slice.objects.order_by("number").values_list("slice_interval", flat=True)) == [5.0, 1.0]


def test_the_command_tells_bad_rows_and_takes_the_good_ones(tmp_path: Path) -> None:
    table = _table(tmp_path, row(), cells(row(2), Patient_age="old"), cells(row(3), Image_size="64"), row(4))
    err = io.StringIO()
    with pytest.raises(Incomplete) as failed:
        call_command("import_deeplesion", str(table), stdout=io.StringIO(), stderr=err)
    assert failed.value.returncode == 1
    assert "Bad row: line 3, Patient_age: 'old' is not a number" in err.getvalue()
    assert "Bad row: line 4, Image_size: 2 numbers expected, 1 found" in err.getvalue()
    assert list(Patient.objects.values_list("number", flat=True)) == [1, 4]


def test_the_command_prints_some_bad_rows_and_counts_the_rest(tmp_path: Path) -> None:
    table = _table(tmp_path, *(cells(row(number), Patient_age="old") for number in range(1, 61)), row(99))
    out, err = io.StringIO(), io.StringIO()
    with pytest.raises(Incomplete):
        call_command("import_deeplesion", str(table), stdout=out, stderr=err)
    assert err.getvalue().count("Bad row: line") == 50
    assert "Bad row: and 10 more" in err.getvalue()
    assert "61 rows read" in out.getvalue()
    assert "60 bad rows left out" in out.getvalue()


def test_strict_refuses_the_file_as_a_whole(tmp_path: Path) -> None:
    table = _table(tmp_path, row(), cells(row(2), Patient_age="old"), row(1, 2, split=3))
    with pytest.raises(BadRows) as refused:
        import_deeplesion(table, strict=True)
    assert [problem.line for problem in refused.value.summary.bad] == [3, 4]
    assert _counts() == [0] * len(TABLES)
    err = io.StringIO()
    with pytest.raises(CommandError, match="2 of 3 rows are bad, so nothing was imported"):
        call_command("import_deeplesion", str(table), strict=True, stderr=err)
    assert "line 3, Patient_age" in err.getvalue()


def test_a_deviation_is_told_and_the_row_goes_in(tmp_path: Path) -> None:
    out, err = _run(_table(tmp_path, cells(row(), Bounding_boxes="16.5, 31, 46, 51")))
    assert "Deviation: line 2, Bounding_boxes: 0.5 px from the box" in err
    assert "1 deviation." in out
    assert Lesion.objects.get().box == (15.5, 30, 45, 50)


@pytest.mark.parametrize("content", ["", "name,value\n1,2\n", None])
def test_a_file_that_is_no_table_is_refused_in_one_sentence(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "table.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(
        CommandError, match=rf"^{path} (is not a DL_info\.csv: no column|cannot be read: No such file)"
    ):
        _run(path)
    assert _counts() == [0] * len(TABLES)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_table_in_utf_16_is_refused_as_such(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path / "table.csv", [row()], encoding=encoding)
    with pytest.raises(CommandError, match="is text in UTF-16; save it as CSV in UTF-8"):
        _run(path)


def test_a_table_that_turns_to_rubbish_half_way_keeps_its_good_rows(tmp_path: Path) -> None:
    path = _table(tmp_path, *(row(number) for number in range(1, 1500)))
    with path.open("ab") as file:
        file.write(b"\xff\xfe\xff")
    err = io.StringIO()
    with pytest.raises(Incomplete):
        call_command("import_deeplesion", str(path), stdout=io.StringIO(), stderr=err)
    assert "Bad row: line 1501, File_name: it holds a byte that is no text in UTF-8\n" in err.getvalue()
    assert Lesion.objects.count() == 1499


def test_a_table_without_rows_is_refused(tmp_path: Path) -> None:
    for options in ({}, {"images": tmp_path}):
        with pytest.raises(CommandError, match=r"DL_info\.csv holds no rows, only a header$"):
            _run(_table(tmp_path), **options)
    assert _counts() == [0] * len(TABLES)


def test_a_table_without_one_good_row_leaves_no_collection(tmp_path: Path) -> None:
    for options in ({}, {"images": tmp_path}):
        err = io.StringIO()
        with pytest.raises(CommandError, match="1 of 1 row is bad, so nothing was imported"):
            call_command(
                "import_deeplesion", str(_table(tmp_path, cells(row(), Patient_age="old"))), stderr=err, **options
            )
        assert "Bad row: line 2, Patient_age" in err.getvalue()
    assert _counts() == [0] * len(TABLES)


@pytest.mark.parametrize("name", ["x" * 300, "two words", ""])
def test_a_short_name_that_is_none_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(CommandError, match=r"^--collection takes a short name of at most 50 letters, digits"):
        _run(_table(tmp_path, row()), collection=name)
    with pytest.raises(ValidationError):
        import_deeplesion(_table(tmp_path, row()), collection=name)
    assert _counts() == [0] * len(TABLES)


def test_a_value_that_the_database_cannot_hold_is_one_sentence() -> None:
    sentence = r"^a value does not fit into the database; nothing was imported$"
    with pytest.raises(CommandError, match=sentence), one_sentence("nothing was imported"):
        raise DataError('invalid input: "John Doe"')


def test_one_thing_is_told_in_the_singular(tmp_path: Path) -> None:
    out, err = io.StringIO(), io.StringIO()
    table = _table(tmp_path, row(), cells(row(2), Patient_age="old"))
    for expected in (
        "2 rows read; added 1 patient, 1 study, 1 series, 1 slice, 1 lesion; 1 bad row left out.\n",
        "2 rows read; added nothing; 1 lesion was there already; 1 bad row left out.\n",
    ):
        with pytest.raises(Incomplete):
            call_command("import_deeplesion", str(table), stdout=out, stderr=err)
        assert out.getvalue().endswith(expected)


def test_a_hospital_takes_no_published_rows(tmp_path: Path) -> None:
    hospital = make_collection()
    with pytest.raises(ImportRefused, match="is a hospital's"):
        import_deeplesion(_table(tmp_path, row()), collection=hospital.slug)


def test_two_collections_count_their_patients_apart(tmp_path: Path) -> None:
    import_deeplesion(_table(tmp_path, row()))
    summary = import_deeplesion(_table(tmp_path, row(sex="M", split=3)), collection="other")
    assert summary.added["patients"] == 1
    assert Patient.objects.filter(number=1).count() == 2


def test_a_release_takes_the_official_split_and_is_made_once(tmp_path: Path) -> None:
    path = _table(tmp_path, row(1, split=1), row(2, split=2), row(3, split=3))
    out, _ = _run(path, release="published")
    assert "release published published" in out
    release = Release.objects.get()
    assert {name: counts["patients"] for name, counts in release.counts.items()} == {"train": 1, "val": 1, "test": 1}
    out, _ = _run(path, release="published")
    assert "was there already" in out
    with pytest.raises(CommandError, match="the name published is taken"):
        _run(_table(tmp_path, row(4)), release="published")
    assert Patient.objects.count() == 3


def test_queries_do_not_grow_with_the_rows(
    tmp_path: Path, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    path = _table(tmp_path, *(row(number // 3 + 1, slice=number + 10) for number in range(900)))
    with django_assert_max_num_queries(30):
        import_deeplesion(path)


def test_progress_reaches_its_end(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    import_deeplesion(_table(tmp_path, row(), row(2)), on_rows=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (3, 3)
    assert all(done <= total for done, total in seen)


def test_images_stay_where_they_are_and_bring_their_neighbours(tmp_path: Path) -> None:
    images = tmp_path / "Images_png"
    for number in (8, 9, 10, 12, 40):
        draw(images, "000001_01_01", number)
    (images / "000001_01_01" / "notes.txt").write_text("no slice")
    summary = import_deeplesion(_table(tmp_path, row()), images=images)
    assert summary.image_problems == []
    assert summary.added["slices"] == 5
    assert Collection.objects.get().image_folder == str(images)
    assert slice_root(Collection.objects.get()) == images
    key, *others = Slice.objects.filter(stored=True).order_by("window_low", "number")
    key = Slice.objects.get(number=10)
    assert key.bytes == (images / "000001_01_01" / "010.png").stat().st_size
    assert len(key.pixel_hash) == 64
    assert Slice.objects.exclude(pixel_hash="").count() == 1
    assert len(others) == 4
    lesion = Lesion.objects.get()
    assert 35 < lesion.mean_hu < 45
    assert 8 < lesion.std_hu < 12
    assert lesion.min_hu < lesion.mean_hu < lesion.max_hu
    assert not any(import_deeplesion(_table(tmp_path, row()), images=images).added.values())


def test_images_that_come_later_complete_the_rows(tmp_path: Path) -> None:
    path, images = _table(tmp_path, row(), row(at=33)), tmp_path / "Images_png"
    import_deeplesion(path)
    draw(images, "000001_01_01", 10)
    draw(images, "000001_01_01", 11)
    summary = import_deeplesion(path, images=images)
    assert (summary.added["slices"], summary.added["lesions"]) == (1, 0)
    assert Slice.objects.filter(stored=True).count() == 2
    assert Lesion.objects.filter(mean_hu__gt=30, std_hu__gt=0).count() == 2


def test_a_neighbour_can_become_a_key_slice(tmp_path: Path) -> None:
    images = tmp_path / "Images_png"
    for number in (10, 11):
        draw(images, "000001_01_01", number)
    import_deeplesion(_table(tmp_path, row()), images=images)
    import_deeplesion(_table(tmp_path, row(slice=11, window=(-160.0, 240.0))), images=images)
    found = Slice.objects.get(number=11)
    assert (found.window_low, found.stored, len(found.pixel_hash)) == (-160, True, 64)


def test_missing_and_damaged_images_are_named_and_their_rows_go_in(tmp_path: Path) -> None:
    images = tmp_path / "Images_png"
    damaged = draw(images, "000001_01_01", 10)
    damaged.write_bytes(damaged.read_bytes()[:500])
    draw(images, "000002_01_01", 10)
    draw(images, "000003_01_01", 10, size=(32, 64))
    (images / "000004_01_01").mkdir()
    (images / "000004_01_01" / "010.png").write_bytes(b"GIF89a")
    err = io.StringIO()
    table = _table(tmp_path, *(row(number) for number in (1, 2, 3, 4, 5)))
    with pytest.raises(Incomplete):
        call_command("import_deeplesion", str(table), images=images, stdout=io.StringIO(), stderr=err)
    assert err.getvalue().splitlines() == [
        "Image: 000001_01_01/010.png: damaged or not a PNG file",
        "Image: 000003_01_01/010.png: 32x64 pixels where Image_size says 64x64",
        "Image: 000004_01_01/010.png: damaged or not a PNG file",
        "Image: 000005_01_01/010.png: missing",
    ]
    assert Lesion.objects.count() == 5
    assert list(Slice.objects.filter(stored=True).values_list("series__study__patient__number", flat=True)) == [2]


def test_copied_images_lie_in_our_own_storage(tmp_path: Path) -> None:
    images = tmp_path / "Images_png"
    files = [draw(images, "000001_01_01", number) for number in (10, 11)]
    import_deeplesion(_table(tmp_path, row()), images=images, copy=True)
    collection = Collection.objects.get()
    assert collection.image_folder == ""
    for file, image in zip(files, Slice.objects.order_by("number"), strict=True):
        assert (slice_root(collection) / image.path).read_bytes() == file.read_bytes()
    assert not list(slice_root(collection).rglob("*.part"))


def test_images_of_one_collection_lie_in_one_place(tmp_path: Path) -> None:
    first, second, table = tmp_path / "first", tmp_path / "second", _table(tmp_path, row())
    for images in (first, second):
        draw(images, "000001_01_01", 10)
    import_deeplesion(table, images=first)
    with pytest.raises(NoImages, match="nowhere is not a folder"):
        import_deeplesion(table, images=tmp_path / "nowhere")
    with pytest.raises(ImportRefused, match="cannot lie in"):
        import_deeplesion(table, images=second)
    with pytest.raises(ImportRefused, match="cannot lie in our own storage"):
        import_deeplesion(table, images=first, copy=True)
    first.rename(tmp_path / "third")
    import_deeplesion(table, images=tmp_path / "third")
    assert Collection.objects.get().image_folder == str(tmp_path / "third")


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoImages):
        import_deeplesion(_table(tmp_path, row()), images=tmp_path / "nowhere")
    with pytest.raises(CommandError, match="--copy needs --images"):
        _run(_table(tmp_path, row()), copy=True)
    assert _counts() == [0] * len(TABLES)


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    images = tmp_path / "Images_png"
    for number in range(8, 13):
        draw(images, "000001_01_01", number)
    with small_disk(tmp_path / "data", 12) as disk:
        with pytest.raises(CommandError) as failed:
            _run(_table(tmp_path, row()), images=images, copy=True)
        assert re.fullmatch(
            rf"No space left on device: {disk}/slices/deeplesion/000001_01_01/\d+\.png; nothing was imported",
            str(failed.value),
        )
        assert _counts() == [0] * len(TABLES)
        assert not list(disk.rglob("*.part"))
        subprocess.run(["mount", "-o", "remount,size=1m", str(disk)], check=True)
        _run(_table(tmp_path, row()), images=images, copy=True)
        assert len(list(disk.rglob("*.png"))) == 5
