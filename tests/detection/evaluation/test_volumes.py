"""Fully annotated sub-volumes."""

import json

import numpy as np
import pytest

from detection.errors import BadTable
from detection.evaluation import volumes
from tests.detection.releases import REAL, needs_real

NAME = "000001_01_01_005-010"
LESION = [0, 0, 5, 9, 9, 6]


def test_overlap_is_taken_over_the_detected_box():
    inside, around = [2, 2, 5, 4, 4, 5, 0.9], [0, 0, 1, 9, 9, 10, 0.8]
    curve = volumes.score({NAME: np.array([LESION])}, {NAME: np.array([inside])})
    assert curve.at([0.125])[0] == 1
    curve = volumes.score({NAME: np.array([LESION])}, {NAME: np.array([around])})
    assert curve.at([8])[0] == 0, "a fifth of the box lies in the lesion"
    assert curve.false_positives.tolist() == [1]


def test_volumes_without_lesions_count():
    truth = {NAME: np.array([LESION]), "000002_01_01_001-002": np.zeros((0, 6))}
    wrong = np.array([[50, 50, 1, 60, 60, 1, 0.5]])
    assert volumes.score(truth, {"000002_01_01_001-002": wrong}).false_positives.tolist() == [0.5]


def test_detections_of_neighbouring_slices_join_and_a_gap_parts_them():
    box = [10, 10, 20, 20, 0.5]
    moved = [11, 11, 22, 20, 0.9]
    result = volumes.stack({4: np.array([box]), 5: np.array([moved, [50, 50, 60, 60, 0.7]]), 7: np.array([box])})
    assert result.tolist() == [[10, 10, 4, 22, 20, 5, 0.9], [50, 50, 5, 60, 60, 5, 0.7], [10, 10, 7, 20, 20, 7, 0.5]]


@needs_real
def test_the_real_sub_volumes_score_one_against_themselves():
    truth = volumes.read(REAL / "fully_annotated_val.json", 6)
    found = {name: np.column_stack([boxes, np.full(len(boxes), 0.5)]) for name, boxes in truth.items()}
    content = volumes.report(truth, found, 0.3)
    assert content["volumes"] == 200
    assert content["average_sensitivity"] == 1


def test_the_command_reads_a_csv_of_slices(tmp_path, capsys):
    truth, found = tmp_path / "truth.json", tmp_path / "found.csv"
    truth.write_text(json.dumps({NAME: [LESION]}))
    found.write_text(
        "File_name,x1,y1,x2,y2,score\n000001_01_01_005.png,1,1,9,9,0.9\n000001_01_01_006.png,1,1,9,9,0.8\n"
        "000001_01_01_020.png,50,50,60,60,1\n"
    )
    assert volumes.main(["--truth", str(truth), "--detections", str(found)]) == 0
    content = json.loads(capsys.readouterr().out)
    assert (content["detections"], content["sensitivity"]["0.125"]) == (1, 1)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{",
        '{"x": []}',
        '{"000001_01_01_010-005": []}',
        f'{{"{NAME}": [[1, 2]]}}',
        f'{{"{NAME}": [[1,2,3,4,5,NaN]]}}',
    ],
)
def test_what_is_no_truth_is_refused(tmp_path, text):
    path = tmp_path / "truth.json"
    path.write_text(text)
    with pytest.raises(BadTable):
        volumes.read(path, 6)


@pytest.mark.parametrize("name", ["found.csv", "found.json"])
def test_detections_in_none_of_the_sub_volumes_are_refused(tmp_path, capsys, name):
    truth, found = tmp_path / "truth.json", tmp_path / name
    truth.write_text(json.dumps({NAME: [LESION]}))
    found.write_text(
        json.dumps({"000002_01_01_005-010": [[*LESION, 0.5]]}) if name.endswith("json")
        else "File_name,x1,y1,x2,y2,score\n000001_01_01_020.png,50,50,60,60,1\n"
    )  # fmt: skip
    assert volumes.main(["--truth", str(truth), "--detections", str(found)]) == 1
    assert capsys.readouterr().err == f"{name} holds no detection in any of the 1 sub-volumes.\n"
    found.write_text("{}" if name.endswith("json") else "File_name,x1,y1,x2,y2,score\n")
    assert volumes.main(["--truth", str(truth), "--detections", str(found)]) == 0, "a detector that finds nothing"


@pytest.mark.parametrize("value", ["0", "-1", "2", "nan", "inf", "much"])
def test_a_share_that_makes_no_sense_is_refused(capsys, value):
    with pytest.raises(SystemExit) as ended:
        volumes.main(["--truth", "truth.json", "--detections", "found.csv", "--iobb", value])
    assert ended.value.code == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.endswith(f"error: argument --iobb: {value} is no number above 0 and at most 1")


def test_a_truth_that_is_not_there_is_said(tmp_path):
    with pytest.raises(BadTable, match=r"^no.json cannot be read: No such file or directory$"):
        volumes.read(tmp_path / "no.json", 6)
