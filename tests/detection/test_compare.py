"""Runs beside each other, from detections made up for them."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from detection import compare
from detection.data.release import open_release
from detection.data.table import select
from detection.evaluation import bootstrap
from detection.evaluation.matching import match
from detection.evaluation.report import report
from detection.evaluation.tables import read_detections, truth_of, write_detections
from detection.presets import PAPER, TINY, options, to_json
from tests.detection.releases import row, write_table


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    folder = tmp_path_factory.mktemp("table")
    (folder / "Images_png").mkdir()
    write_table(folder / "DL_info.csv", [row(patient, split=3) for patient in range(1, 41)])
    return folder


def evaluated(folder: Path, release: Path, *, sure: float, **run: object) -> Path:
    """A run whose detections hit a lesion each with a chance of `sure`, among others that hit none."""
    opened = open_release(release)
    truth = truth_of(select(opened.lesions, "test"))
    rng = np.random.default_rng(7)
    place = folder / "evaluation-test"
    place.mkdir(parents=True)
    boxes = np.where(rng.random((len(truth.names), 4, 1)) < sure, [21.0, 21, 41, 41], [1.0, 1, 9, 9])
    rows = np.concatenate([boxes, np.round(rng.random((*boxes.shape[:2], 1)), 6)], axis=2)
    write_detections(place / "detections.csv", list(zip(truth.names, rows, strict=True)))
    facts = {"preset": "tiny", "checkpoint": "best", "step": 1, "release": "made", "seed": 0, "fraction": 1.0,
             "weights": "random", "options": {}, "detector": to_json(TINY), "precision": "32-true"}  # fmt: skip
    content = report(truth, read_detections(place / "detections.csv", truth), repeats=0)
    content |= {"run": facts | run, "release_sha256": opened.sha256}
    (place / "report.json").write_text(json.dumps(content))
    return folder


def test_a_share_of_several_runs_has_the_band_of_their_mean(release, tmp_path):
    runs = [
        evaluated(tmp_path / "whole", release, sure=0.4),
        evaluated(tmp_path / "first", release, sure=0.1, fraction=0.5),
        evaluated(tmp_path / "second", release, sure=0.2, fraction=0.5, seed=1),
    ]
    content = compare.compare(release, runs, repeats=200)
    truth = truth_of(select(open_release(release).lesions, "test"))
    drawn = []
    for run in runs[1:]:
        found = read_detections(run / "evaluation-test/detections.csv", truth)
        matched = match(truth, found, 0.5, "deeplesion")
        drawn.append(bootstrap.resample(truth, found, matched, [2.0], repeats=200, seed=0))
    low, high = np.percentile(np.mean(drawn, axis=0), [2.5, 97.5])
    half = content["by_share"]["0.5"]
    assert half["runs"] == 2
    assert half["bands"]["sensitivity"]["2"] == pytest.approx([low, high], abs=1e-6)
    assert low < half["sensitivity"]["2"] < high
    low, high = content["by_share"]["1"]["bands"]["average_sensitivity"]
    assert low < content["by_share"]["1"]["average_sensitivity"] < high
    assert all("bands" not in part for part in compare.compare(release, runs, repeats=0)["by_share"].values())


def test_runs_made_otherwise_are_no_points_of_the_first_ones_learning_curve(release, tmp_path):
    """Another backbone from random weights, another spacing, other numbers of epochs, another precision."""
    spaced = dataclasses.replace(TINY, input=dataclasses.replace(TINY.input, spacing_mm=0.8))
    others = {
        "spaced": {"detector": to_json(spaced), "options": options(spaced)},
        "context": {"preset": "context"},
        "weights": {"weights": "vgg16.pth"},
        "checkpoint": {"checkpoint": "last"},
        "precise": {"precision": "bf16-mixed"},
    }
    runs = [evaluated(tmp_path / "whole", release, sure=0.4)]
    runs += [evaluated(tmp_path / name, release, sure=0.1, fraction=0.5, **made) for name, made in others.items()]
    content = compare.compare(release, runs, repeats=0)
    assert list(content["by_share"]) == ["1"]
    assert content["runs"][1]["options"] == {"input.spacing_mm": 0.8}
    runs.append(evaluated(tmp_path / "alike", release, sure=0.2, fraction=0.5, seed=3, step=7))
    assert {share: part["runs"] for share, part in compare.compare(release, runs, repeats=0)["by_share"].items()} == {
        "0.5": 1,
        "1": 1,
    }


@pytest.mark.parametrize("checkpoint", ["best", "last"])
def test_a_run_that_broke_off_is_no_point_of_the_learning_curve(release, tmp_path, capsys, checkpoint):
    """The step of the best does not tell it: that of a finished run may be an early one."""
    whole, half = {"checkpoint": checkpoint, "steps": 54, "steps_done": 54}, {"steps": 27, "steps_done": 27}
    runs = [
        evaluated(tmp_path / "whole", release, sure=0.4, step=18, **whole),
        evaluated(tmp_path / "again", release, sure=0.4, step=54, seed=1, **whole),
        evaluated(tmp_path / "half", release, sure=0.4, step=27, fraction=0.5, **whole | half),
        evaluated(tmp_path / "short", release, sure=0.1, step=18, **whole | {"steps_done": 20}),
        evaluated(tmp_path / "early", release, sure=0.1, step=2, **whole | {"steps_done": 2}),
    ]
    assert compare.main([str(release), *map(str, runs), "--bootstrap", "0"]) == 0
    told = capsys.readouterr()
    content = json.loads(told.out)
    assert {share: part["runs"] for share, part in content["by_share"].items()} == {"0.5": 1, "1": 2}
    assert content["by_share"]["1"]["average_sensitivity"] == content["runs"][0]["average_sensitivity"]
    assert [line["finished"] for line in content["runs"]] == [True, True, True, False, False]
    assert [line.partition(":")[0] for line in told.err.splitlines()] == [
        "short was trained for 20 of 54 steps", "early was trained for 2 of 54 steps",
    ]  # fmt: skip


def test_a_report_without_options_is_asked_for_anew(release, tmp_path, capsys):
    run = evaluated(tmp_path / "old", release, sure=0.4)
    path = run / "evaluation-test/report.json"
    content = json.loads(path.read_text())
    del content["run"]["detector"]
    path.write_text(json.dumps(content))
    assert compare.main([str(release), str(run)]) == 1
    said = f"{run} was evaluated by a version that did not keep its options; evaluate it again.\n"
    assert capsys.readouterr().err == said


def test_options_are_what_differs_from_the_preset_of_the_name():
    assert options(PAPER) == {}
    network = dataclasses.replace(PAPER.network, backbone="resnet50")
    training = dataclasses.replace(PAPER.training, epochs=4)
    made = dataclasses.replace(PAPER, network=network, training=training)
    assert options(made) == {"network.backbone": "resnet50", "training.epochs": 4}
