"""The 18-column format: what is read, what is refused and where, what is written."""

from pathlib import Path

import numpy as np
import pytest

from datasets import dl_info
from tests.datasets.tables import REAL, cells, needs_real_data, row, write


def _read_one(folder: Path, **changes: str) -> tuple[int, dl_info.Row | None, list[dl_info.Problem]]:
    (found,) = dl_info.read(write(folder / "DL_info.csv", [cells(row(), **changes)]))
    return found


def test_an_odd_byte_spoils_the_row_in_whose_column_it_stands(tmp_path: Path) -> None:
    columns = [*dl_info.COLUMNS, "Größe"]
    rows = [cells(row()), cells(row(2), Patient_age="62é", Patient_gender="é"), cells(row(3)) | {"Größe": "é"}]
    path = write(tmp_path / "a.csv", rows, columns=columns, encoding="latin-1")
    reason = "it holds a byte that is no text in UTF-8"
    assert list(dl_info.read(path)) == [
        (2, row(), []),
        (3, None, [dl_info.Problem(3, column, reason) for column in ("Patient_gender", "Patient_age")]),
        (4, row(3), []),
    ]


def test_an_overlong_cell_spoils_its_row_alone(tmp_path: Path) -> None:
    rows = [
        row(),
        cells(row(2), Coarse_lesion_type="5" * 300_000),
        cells(row(3), Bounding_boxes="1, " * 99_999),
        row(4),
    ]
    found = list(dl_info.read(write(tmp_path / "a.csv", rows)))
    reason = "it has more than 131072 characters"
    assert found == [
        (2, row(), []),
        (3, None, [dl_info.Problem(3, "Coarse_lesion_type", reason)]),
        (4, None, [dl_info.Problem(4, "Bounding_boxes", reason)]),
        (5, row(4), []),
    ]


def test_a_row_comes_back_as_it_was_written(tmp_path: Path) -> None:
    rows = [row(), row(slice=11, type=-1, noisy=True, location=None, age=None, sex="", slice_interval=None, split=3)]
    assert [found for _, found, _ in dl_info.read(write(tmp_path / "a.csv", rows))] == rows


def test_coordinates_are_one_based_in_the_file_and_zero_based_in_the_row() -> None:
    assert cells(row())["Measurement_coordinates"] == "21, 41, 41, 41, 31, 36, 31, 46"
    assert cells(row())["Bounding_boxes"] == "16, 31, 46, 51"
    assert row().recist[0] == 20


def test_columns_in_any_order_with_others_between_a_byte_order_mark_and_crlf_are_read(tmp_path: Path) -> None:
    columns = ["Notes", *reversed(dl_info.COLUMNS), "Reader"]
    path = write(tmp_path / "a.csv", [cells(row())], columns=columns, encoding="utf-8-sig", end="\r\n")
    assert list(dl_info.read(path)) == [(2, row(), [])]


@pytest.mark.parametrize(
    ("column", "text", "field", "value"),
    [
        ("Patient_age", "62.0", "age", 62),
        ("Patient_age", "NaN", "age", None),
        ("Patient_age", "", "age", None),
        ("Patient_gender", "NaN", "sex", ""),
        ("Patient_gender", " m ", "sex", "M"),
        ("Normalized_lesion_location", "NaN, NaN, NaN", "location", None),
        ("Spacing_mm_px_", "0.8, 0.8, NaN", "slice_interval", None),
        ("Spacing_mm_px_", "0.8, 0.8, -5", "slice_interval", 5.0),
        ("Key_slice_index", "10.0", "slice", 10),
        ("Slice_range", "8.0, 12.0", "slice_range", (8, 12)),
        ("DICOM_windows", "-175 275", "window", (-175.0, 275.0)),
    ],
)
def test_spellings_that_mean_the_same_are_read(
    tmp_path: Path, column: str, text: str, field: str, value: object
) -> None:
    _, found, problems = _read_one(tmp_path, **{column: text})
    assert problems == []
    assert getattr(found, field) == value


@pytest.mark.parametrize(
    ("column", "text", "reason"),
    [
        ("Patient_index", "one", "'one' is not a number"),
        ("Patient_index", "0", "not an index counted from 1"),
        ("Study_index", "1.5", "not a whole number"),
        ("Measurement_coordinates", "1, 2, 3", "8 numbers expected, 3 found"),
        ("Measurement_coordinates", "21, 41, 41, 41, 31, 36, 31, NaN", "not finite"),
        ("Measurement_coordinates", "NaN, 41, 41, 41, 31, 36, 31, 46", "not finite"),
        ("Bounding_boxes", "16, 31, 46, 1e300", "far too large"),
        ("Bounding_boxes", "46, 31, 16, 51", "no extent"),
        ("Lesion_diameters_Pixel_", "10, 20", "long >= short > 0 does not hold"),
        ("Lesion_diameters_Pixel_", "10, 0", "long >= short > 0 does not hold"),
        ("Coarse_lesion_type", "9", "not one of 1, 2, 3, 4, 5, 6, 7, 8, -1"),
        ("Possibly_noisy", "2", "not one of 0, 1"),
        ("Slice_range", "12, 8", "not a range"),
        ("Spacing_mm_px_", "0, 0.8, 5", "not a pixel spacing"),
        ("Spacing_mm_px_", "0.8, 4, 5", "the second axis is the longer one"),
        ("Spacing_mm_px_", "900, 900, 5", "longer than a patient"),
        ("Image_size", "0, 64", "not an image size"),
        ("DICOM_windows", "275, -175", "'275, -175': low < high does not hold"),
        ("DICOM_windows", "40, 40", "low < high does not hold"),
        ("Patient_gender", "X", "neither F nor M"),
        ("Patient_age", "200", "not an age"),
        ("Train_Val_Test", "4", "not one of 1, 2, 3"),
        ("File_name", "000001_01_01_011.png", "does not name 000001_01_01_010.png"),
    ],
)
def test_a_bad_cell_is_told_by_line_column_and_reason(tmp_path: Path, column: str, text: str, reason: str) -> None:
    line, found, (problem,) = _read_one(tmp_path, **{column: text})
    assert (line, found, problem.line, problem.column) == (2, None, 2, column)
    assert reason in problem.reason


def test_every_bad_cell_of_a_row_is_told(tmp_path: Path) -> None:
    _, _, problems = _read_one(tmp_path, Patient_age="old", Patient_gender="X")
    assert [problem.column for problem in problems] == ["Patient_gender", "Patient_age"]


def test_axes_without_length_make_a_row_bad(tmp_path: Path) -> None:
    _, found, (problem,) = _read_one(tmp_path, Measurement_coordinates="21, 41, 41, 41, 31, 36, 31, 36")
    assert found is None
    assert problem.column == "Measurement_coordinates"


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("Bounding_boxes", "16.02, 31, 46, 51"),
        ("Lesion_diameters_Pixel_", "20.02, 10"),
        ("Slice_range", "11, 14"),
    ],
)
def test_a_deviation_is_told_and_its_row_kept(tmp_path: Path, column: str, text: str) -> None:
    _, found, (problem,) = _read_one(tmp_path, **{column: text})
    assert found is not None
    assert problem.column == column


def test_a_deviation_within_a_hundredth_of_a_pixel_is_rounding(tmp_path: Path) -> None:
    _, found, problems = _read_one(tmp_path, Bounding_boxes="16.009, 31, 46, 51", Lesion_diameters_Pixel_="20.009, 10")
    assert found is not None
    assert problems == []


def test_bad_and_good_rows_keep_their_order_beyond_one_batch(tmp_path: Path) -> None:
    rows = [row(slice=number + 10) for number in range(dl_info.BATCH + 20)]
    table = [cells(each, Patient_age="x") if place % 7 == 0 else each for place, each in enumerate(rows)]
    found = list(dl_info.read(write(tmp_path / "a.csv", table)))
    assert [line for line, _, _ in found] == list(range(2, len(rows) + 2))
    assert [each for _, each, _ in found] == [None if place % 7 == 0 else each for place, each in enumerate(rows)]


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\x89PNG\r\n\x1a\n\x00\xff\xfe", "Größe".encode("utf-16")])
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(dl_info.NotDeepLesion, match=rf"^{tmp_path}/a\.csv "):
        list(dl_info.read(tmp_path / "a.csv"))


def test_a_row_that_breaks_off_is_bad(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", [row(), row(slice=11)])
    text = path.read_text()
    path.write_text(text[: text.rindex('"')])
    (_, first, _), (_, second, problems) = dl_info.read(path)
    assert first == row()
    assert second is None
    assert problems


@pytest.mark.parametrize(("surplus", "told"), [(",", "1 more cell "), (",x,y", "2 more cells ")])
def test_cells_behind_the_last_column_are_told_and_the_row_kept(tmp_path: Path, surplus: str, told: str) -> None:
    path = write(tmp_path / "a.csv", [row(), row(slice=11)])
    path.write_text(path.read_text().rstrip("\n") + f"{surplus}\n")
    (_, _, none), (line, found, (problem,)) = dl_info.read(path)
    assert none == []
    assert found == row(slice=11)
    assert str(problem).startswith(f"line {line}, Train_Val_Test: {told}")


def test_lengths_in_mm_follow_the_direction_of_each_axis() -> None:
    flat = row(spacing=(0.5, 0.25))
    assert dl_info.lengths_mm([flat, row()]).tolist() == [[10.0, 2.5], [16.0, 8.0]]


@needs_real_data
def test_the_published_rows_are_written_as_they_are_read() -> None:
    text = (REAL / "DL_info.csv").read_text().splitlines()
    read = list(dl_info.read(REAL / "DL_info.csv"))
    assert len(read) == 4946
    assert all(problems == [] for _, _, problems in read)
    assert [dl_info.HEADER, *(dl_info.format_line(found) for _, found, _ in read if found)] == text


@needs_real_data
def test_the_published_columns_agree_with_each_other() -> None:
    rows = [found for _, found, _ in dl_info.read(REAL / "DL_info.csv") if found and found.split == 3]
    points = np.array([each.recist for each in rows]).reshape(-1, 4, 2)
    boxes = np.array([each.box for each in rows])
    lengths = np.array([each.diameters_px for each in rows])
    measured = np.linalg.norm(points[:, 1::2] - points[:, 0::2], axis=-1)
    padded = np.concatenate([points.min(axis=1) - 5, points.max(axis=1) + 5], axis=1)
    assert np.abs(padded - boxes).max() == pytest.approx(0.0005, abs=5e-5)
    assert np.abs(measured - lengths).max(axis=0) == pytest.approx([0.00137, 0.00124], abs=5e-6)
    along, across = np.moveaxis(points[:, 1::2] - points[:, 0::2], 1, 0)
    angles = np.degrees(np.arccos(np.abs((along * across).sum(axis=1)) / measured.prod(axis=1)))
    assert angles.min() == pytest.approx(22.9, abs=0.05)
    assert np.percentile(angles, 5) == pytest.approx(81.6, abs=0.05)
