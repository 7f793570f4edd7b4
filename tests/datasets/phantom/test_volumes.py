"""The release's 3-D boxes hold every lesion, marked or not."""

import json
from pathlib import Path

import pytest

from datasets import dl_info
from datasets.phantom import plan, radiologist, volumes
from datasets.phantom.volumes import FILE

from .conftest import SEED, SIZE


@pytest.fixture(scope="module")
def annotated(release: Path) -> dict[str, list[list[float]]]:
    content: dict[str, list[list[float]]] = json.loads((release / FILE).read_text())
    return content


def test_every_mark_outside_training_lies_in_a_box_of_its_sub_volume(release, annotated):
    marks = [row for _, row, _ in dl_info.read(release / "DL_info.csv") if row is not None and row.split != 1]
    assert marks
    for row in marks:
        name, boxes = next(
            (name, boxes)
            for name, boxes in annotated.items()
            if name.startswith(f"{row.folder}_") and held(name, row.slice)
        )
        x1, y1, x2, y2 = (value + 1 for value in row.box)
        middle = (x1 + x2) / 2, (y1 + y2) / 2
        assert any(
            box[0] <= middle[0] <= box[3] and box[1] <= middle[1] <= box[4] and box[2] <= row.slice <= box[5]
            and abs((box[3] - box[0]) - (x2 - x1)) < 0.4 * (x2 - x1) + 3
            for box in boxes
        ), name  # fmt: skip


def test_training_patients_have_none(release, annotated):
    rows = [row for _, row, _ in dl_info.read(release / "DL_info.csv") if row is not None]
    training = {row.folder for row in rows if row.split == 1}
    assert not training & {name.rpartition("_")[0] for name in annotated}


def test_lesions_that_nobody_marked_have_boxes_too():
    boxed = marked = 0
    for index in range(1, 6):
        patient, _ = plan.patient(SEED, index, SIZE)
        for study in patient.studies:
            series = study.series[0]
            found = volumes.sub_volumes("000001_01_01", series, study.lesions, range(len(series.planes)))
            boxed += sum(map(len, found.values()))
        marks = {mark.lesion for mark in radiologist.read(patient) if mark.expected == "lesion"}
        marked += sum(lesion.id in marks for study in patient.studies for lesion in study.lesions)
    assert boxed > marked > 0


def test_sub_volumes_are_runs_of_slices_that_are_there(release, annotated):
    for name, boxes in annotated.items():
        folder, _, span = name.rpartition("_")
        first, last = map(int, span.split("-"))
        present = {int(path.stem) for path in (release / "Images_png" / folder).iterdir()}
        assert set(range(first, last + 1)) <= present
        assert {first - 1, last + 1}.isdisjoint(present)
        for x1, y1, z1, x2, y2, z2 in boxes:
            assert x1 < x2
            assert y1 < y2
            assert first <= z1 <= z2 <= last


def test_runs_end_where_a_slice_is_lacking():
    assert list(volumes._runs([3, 4, 5, 9, 11, 12])) == [(3, 5), (9, 9), (11, 12)]


def held(name: str, number: int) -> bool:
    first, last = map(int, name.rpartition("_")[2].split("-"))
    return first <= number <= last
