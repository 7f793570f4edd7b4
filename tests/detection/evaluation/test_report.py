"""Report, strata, bands, and the command line, on made and on real tables."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

from benchmarks.froc import example
from detection.evaluation import bootstrap, froc, strata
from detection.evaluation.curve import AVERAGED
from detection.evaluation.curve import froc as froc_curve
from detection.evaluation.matching import match
from detection.evaluation.report import report
from detection.evaluation.tables import Detections, read_truth, write_detections
from tests.detection.releases import REAL, needs_real, row, write_table


def curve_points(truth, found, repeats=60):
    matched = match(truth, found, 0.5, "deeplesion")
    return bootstrap.resample(truth, found, matched, [0.5, 4], repeats=repeats, seed=1)


@needs_real
def test_the_official_test_split_has_4817_images_and_4912_lesions():
    truth = read_truth(REAL / "DL_info.csv", "test")
    assert (len(truth.names), len(truth.boxes), len(np.unique(truth.patients))) == (4817, 4912, 663)
    perfect = Detections(truth.image, truth.boxes, np.ones(len(truth.boxes)))
    content = report(truth, perfect, repeats=10)
    assert content["sensitivity"]["0.5"] == 1
    assert content["by_type"]["lung"]["lesions"] == 1100 - sum_of_noisy("lung")
    assert list(content["by_size"]) == ["<10", "10-15", "15-20", "20-25", "25-30", "30-40", "40-50", ">=50"]


def sum_of_noisy(name: str) -> int:
    from detection.data.table import TYPES, read_lesions

    return sum(lesion.noisy and TYPES[lesion.type] == name for lesion in read_lesions(REAL / "DL_info.csv"))


def test_a_size_bin_holds_its_lower_edge():
    truth, _ = example(4, 1)
    sized = type(truth)(truth.names, truth.patients, truth.image[:3], truth.boxes[:3], truth.types[:3],
                        np.array([9.99, 10.0, 50.0]))  # fmt: skip
    masks = strata.strata(sized)["by_size"]
    assert {name: mask.tolist().index(True) for name, mask in masks.items()} == {"<10": 0, "10-15": 1, ">=50": 2}


def test_false_positives_of_all_types_count_against_each_type():
    truth, found = example(50, 30)
    matched = match(truth, found, 0.5, "deeplesion")
    whole = strata.curve_of(truth, found, matched)
    for mask in strata.strata(truth)["by_type"].values():
        assert strata.curve_of(truth, found, matched, mask).false_positives[-1] == whole.false_positives[-1]


def test_bands_hold_the_value_and_narrow_with_more_patients():
    widths = []
    for images in (70, 1400):
        truth, found = example(images, 20)
        content = report(truth, found, repeats=100)
        low, high = content["bands"]["sensitivity"]["4"]
        assert low <= content["sensitivity"]["4"] <= high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


@pytest.mark.parametrize("ties", ["lowest", "highest"])
def test_a_draw_is_the_curve_of_a_list_with_patients_repeated_also_for_some_of_the_lesions(ties):
    truth, found = example(21, 20)
    found = Detections(found.image, found.boxes, np.round(found.scores, 2))
    groups = np.stack([np.ones(len(truth.boxes), dtype=bool), truth.types < 4, truth.image == 3])
    matched = match(truth, found, 0.5, "deeplesion")
    weights = bootstrap.draws(3, 5, seed=1)
    values = bootstrap.resample_groups(truth, found, matched, groups, [0.5, 4], repeats=5, seed=1, ties=ties)
    for weight, value in zip(weights, values, strict=True):
        images = [image for image in range(21) for _ in range(weight[truth.patients[image]])]
        lesions = np.concatenate([np.flatnonzero(truth.image == image) for image in images])
        detections = np.concatenate([np.flatnonzero(found.image == image) for image in images])
        wrong = found.scores[detections][matched.false_positive[detections]]
        for group, found_in_draw in zip(groups, value.T, strict=True):
            drawn = matched.hit_scores[lesions[group[lesions]]]
            expected = froc_curve(drawn, wrong, len(images)).at([0.5, 4], ties) if len(drawn) else [np.nan] * 2
            assert found_in_draw == pytest.approx(expected, nan_ok=True)


def test_types_and_sizes_have_bands_unless_they_are_of_one_patient():
    truth, found = example(140, 20)
    of_one = truth.types.copy()
    of_one[of_one == 1] = 2
    of_one[truth.image == 0] = 1
    truth = dataclasses.replace(truth, types=of_one)
    content = report(truth, found, repeats=100)
    for family in ("by_type", "by_size"):
        for name, part in content[family].items():
            if name == "bone":
                assert (part["patients"], "bands" in part) == (1, False)
                continue
            low, high = part["bands"]["sensitivity"]["4"]
            assert low <= part["sensitivity"]["4"] <= high
            assert high - low > content["bands"]["sensitivity"]["4"][1] - content["bands"]["sensitivity"]["4"][0]
            low, high = part["bands"]["average_sensitivity"]
            assert low <= part["average_sensitivity"] <= high
    assert all("bands" not in part for part in report(truth, found, repeats=0)["by_size"].values())


def test_every_overlap_threshold_has_the_band_that_a_report_at_it_has():
    truth, found = example(140, 20)
    content = report(truth, found, repeats=100)
    assert list(content["by_iou"]) == ["0.3", "0.4", "0.5", "0.6", "0.7", "0.8"]
    for name, part in content["by_iou"].items():
        alone = report(truth, found, iou=float(name), repeats=100)
        assert part == {key: alone[key] for key in ("sensitivity", "average_sensitivity", "bands")}
    of_one = dataclasses.replace(truth, patients=np.ones_like(truth.patients))
    for made in (report(truth, found, repeats=0), report(of_one, found, repeats=10)):
        assert all("bands" not in part for part in made["by_iou"].values())


def test_lesions_that_no_draw_holds_have_no_band():
    truth, found = example(70, 5)
    of_two = np.where(np.isin(truth.patients[truth.image], [0, 1]), 1, 5)
    truth = dataclasses.replace(truth, types=of_two)
    contents = [report(truth, found, repeats=1, seed=seed) for seed in range(30)]
    assert all(json.dumps(content, allow_nan=False) for content in contents)
    assert {"bands" in content["by_type"]["bone"] for content in contents} == {False, True}


def test_a_difference_without_draws_has_no_band_and_takes_the_asked_interpolation():
    truth, found = example(50, 30)
    matched = match(truth, found, 0.5, "deeplesion")
    nothing = Detections(found.image[:0], found.boxes[:0], found.scores[:0])
    pair = (nothing, match(truth, nothing, 0.5, "deeplesion")), (found, matched)
    for ties in ("lowest", "highest"):
        expected = strata.curve_of(truth, found, matched).at(AVERAGED, ties).mean()
        assert bootstrap.paired_difference(truth, *pair, repeats=0, ties=ties) == {"difference": expected}


def test_a_single_patient_tells_nothing_of_chance():
    truth, found = example(7, 30)
    nothing = Detections(found.image[:0], found.boxes[:0], found.scores[:0])
    pair = ((each, match(truth, each, 0.5, "deeplesion")) for each in (nothing, found))
    assert list(bootstrap.paired_difference(truth, *pair, repeats=50)) == ["difference"]


def test_a_short_list_of_detections_reaches_every_draw():
    truth, found = example(14, 2)
    assert np.isfinite(curve_points(truth, found)).all()


def test_a_better_detector_differs_and_the_same_one_does_not():
    truth, found = example(200, 30)
    matched = match(truth, found, 0.5, "deeplesion")
    better = Detections(found.image, found.boxes, np.where(matched.false_positive, found.scores - 0.4, found.scores))
    again = match(truth, better, 0.5, "deeplesion")
    same = bootstrap.paired_difference(truth, (found, matched), (found, matched), repeats=50)
    other = bootstrap.paired_difference(truth, (found, matched), (better, again), repeats=50)
    assert (same["difference"], same["low"], same["high"], same["p"]) == (0, 0, 0, 1)
    assert other["low"] > 0
    assert other["p"] == pytest.approx(2 / 51), "of 50 draws none is beyond, and the data itself is one more"


def test_the_command_prints_json_for_anyones_detections(tmp_path):
    table = write_table(
        tmp_path / "DL_info.csv", [row(split=3), row(patient=2, split=3), row(patient=3, split=3, noisy=1)]
    )
    found = tmp_path / "found.csv"
    right, wrong = [21, 21, 41, 41, 0.9], [1, 1, 9, 9, 0.8]
    write_detections(
        found, [("000001_01_01_010.png", np.array([right, wrong])), ("000003_01_01_010.png", np.array([right]))]
    )
    command = [
        sys.executable,
        "-m",
        "detection.evaluation.froc",
        "--truth",
        table,
        "--detections",
        found,
        "--bootstrap",
        "9",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    content = json.loads(done.stdout)
    assert (content["images"], content["lesions"], content["detections"], content["ignored_detections"]) == (
        2,
        2,
        2,
        1,
    )
    assert content["sensitivity"]["0.5"] == 0.5
    assert content["average_sensitivity"] == 0.5


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("File_name,x1,y1,x2,y2\n", "found.csv has no column score."),
        (
            "File_name,x1,y1,x2,y2,score\na.png,1,2,3,4,nan\n",
            "found.csv line 2: a box or score is not a finite number.",
        ),
        ("File_name,x1,y1,x2,y2,score\na.png,1,2\n", "found.csv line 2: a box or score is not a finite number."),
        (
            "File_name,x1,y1,x2,y2,score\na.png,1,2,3,4,1\na.png,40,40,10,12,1\n",
            "found.csv line 3: the box ends before it begins; write x1, y1, x2, y2, not x, y, width, height.",
        ),
        (
            "File_name,x1,y1,x2,y2,score\na.png,1,2,3,4,1\n",
            "found.csv holds no detection in any of the 1 images of the truth.",
        ),
    ],
)
def test_bad_detections_are_one_sentence(tmp_path, capsys, text, sentence):
    table = write_table(tmp_path / "DL_info.csv", [row(split=3)])
    found = tmp_path / "found.csv"
    found.write_text(text)
    assert froc.main(["--truth", str(table), "--detections", str(found)]) == 1
    assert capsys.readouterr().err == f"{sentence}\n"


def test_the_help_tells_how_equal_scores_count(capsys):
    with pytest.raises(SystemExit):
        froc.main(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "Detections of equal score are one step of the curve, so that their order decides nothing." in said


def test_an_empty_split_and_a_missing_file_are_one_sentence_each(tmp_path, capsys):
    table = write_table(tmp_path / "DL_info.csv", [row(split=1)])
    assert froc.main(["--truth", str(table), "--detections", "none.csv"]) == 1
    assert froc.main(["--truth", str(tmp_path / "no.csv"), "--detections", "none.csv"]) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first == "DL_info.csv has no lesion in the test split; choose another with --split."
    assert second == "no.csv cannot be read: No such file or directory."
