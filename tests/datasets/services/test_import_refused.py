"""Importing a table that is none, or has bad rows: what is left out and why, in one sentence."""

import io
from pathlib import Path

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import DataError
from pytest_django import Settings

from datasets.management.failures import Incomplete, one_sentence
from datasets.models import Lesion, Patient
from datasets.services.import_deeplesion import BadRows, ImportRefused, import_deeplesion
from tests.datasets.importing import TABLES, counts, run_import, table_of
from tests.datasets.tables import cells, row, write
from tests.factories import make_collection

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _data_folder(settings: Settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path / "data"


def test_the_command_tells_bad_rows_and_takes_the_good_ones(tmp_path: Path) -> None:
    table = table_of(tmp_path, row(), cells(row(2), Patient_age="old"), cells(row(3), Image_size="64"), row(4))
    err = io.StringIO()
    with pytest.raises(Incomplete) as failed:
        call_command("import_deeplesion", str(table), stdout=io.StringIO(), stderr=err)
    assert failed.value.returncode == 1
    assert "Bad row: line 3, Patient_age: 'old' is not a number" in err.getvalue()
    assert "Bad row: line 4, Image_size: 2 numbers expected, 1 found" in err.getvalue()
    assert list(Patient.objects.values_list("number", flat=True)) == [1, 4]


def test_the_command_prints_every_bad_row_and_counts_them(tmp_path: Path) -> None:
    table = table_of(tmp_path, *(cells(row(number), Patient_age="old") for number in range(1, 61)), row(99))
    out, err = io.StringIO(), io.StringIO()
    with pytest.raises(Incomplete):
        call_command("import_deeplesion", str(table), stdout=out, stderr=err)
    assert err.getvalue().count("Bad row: line") == 60
    assert "61 rows read" in out.getvalue()
    assert "60 bad rows left out" in out.getvalue()


def test_strict_refuses_the_file_as_a_whole(tmp_path: Path) -> None:
    table = table_of(tmp_path, row(), cells(row(2), Patient_age="old"), row(1, 2, split=3))
    with pytest.raises(BadRows) as refused:
        import_deeplesion(table, strict=True)
    assert [problem.line for problem in refused.value.summary.bad] == [3, 4]
    assert counts() == [0] * len(TABLES)
    err = io.StringIO()
    with pytest.raises(CommandError, match="2 of 3 rows are bad, so nothing was imported"):
        call_command("import_deeplesion", str(table), strict=True, stderr=err)
    assert "line 3, Patient_age" in err.getvalue()


def test_a_deviation_is_told_and_the_row_goes_in(tmp_path: Path) -> None:
    out, err = run_import(table_of(tmp_path, cells(row(), Bounding_boxes="16.5, 31, 46, 51")))
    assert "Deviation: line 2, Bounding_boxes: 0.5 px from the box" in err
    assert "1 deviation." in out
    assert Lesion.objects.get().box == (15.5, 30, 45, 50)


@pytest.mark.parametrize("content", ["", "name,value\n1,2\n", None])
def test_a_file_that_is_no_table_is_refused_in_one_sentence(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "table.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(
        CommandError, match=rf"^{path} (is empty|is not a DL_info\.csv: no column|cannot be read: No such file)"
    ):
        run_import(path)
    assert counts() == [0] * len(TABLES)


def test_a_line_that_ends_early_is_told_once(tmp_path: Path) -> None:
    path = table_of(tmp_path, row(), row(2))
    head, first, second = path.read_text().splitlines()
    path.write_text("\n".join((head, first, ",".join(second.split(",")[:2]), "")))
    err = io.StringIO()
    with pytest.raises(Incomplete):
        call_command("import_deeplesion", str(path), stdout=io.StringIO(), stderr=err)
    assert err.getvalue() == "Bad row: line 3, Study_index: the line ends before it, after 2 of 18 cells\n"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_table_in_utf_16_is_refused_as_such(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path / "table.csv", [row()], encoding=encoding)
    with pytest.raises(CommandError, match="is text in UTF-16; save it as CSV in UTF-8"):
        run_import(path)


def test_a_table_that_turns_to_rubbish_half_way_keeps_its_good_rows(tmp_path: Path) -> None:
    path = table_of(tmp_path, *(row(number) for number in range(1, 1500)))
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
            run_import(table_of(tmp_path), **options)
    assert counts() == [0] * len(TABLES)


def test_a_table_without_one_good_row_leaves_no_collection(tmp_path: Path) -> None:
    for options in ({}, {"images": tmp_path}):
        err = io.StringIO()
        with pytest.raises(CommandError, match="1 of 1 row is bad, so nothing was imported"):
            call_command(
                "import_deeplesion", str(table_of(tmp_path, cells(row(), Patient_age="old"))), stderr=err, **options
            )
        assert "Bad row: line 2, Patient_age" in err.getvalue()
    assert counts() == [0] * len(TABLES)


@pytest.mark.parametrize("name", ["x" * 300, "two words", ""])
def test_a_short_name_that_is_none_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(CommandError, match=r"^--collection takes a short name of at most 50 letters, digits"):
        run_import(table_of(tmp_path, row()), collection=name)
    with pytest.raises(ValidationError):
        import_deeplesion(table_of(tmp_path, row()), collection=name)
    assert counts() == [0] * len(TABLES)


def test_a_value_that_the_database_cannot_hold_is_one_sentence() -> None:
    sentence = r"^a value does not fit into the database; nothing was imported$"
    with pytest.raises(CommandError, match=sentence), one_sentence("nothing was imported"):
        raise DataError('invalid input: "John Doe"')


def test_one_thing_is_told_in_the_singular(tmp_path: Path) -> None:
    out, err = io.StringIO(), io.StringIO()
    table = table_of(tmp_path, row(), cells(row(2), Patient_age="old"))
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
        import_deeplesion(table_of(tmp_path, row()), collection=hospital.slug)
