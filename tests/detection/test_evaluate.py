"""From training to the report and the pictures."""

import csv
import dataclasses
import itertools
import json
import os
import re
import shutil
import time

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from detection import compare, evaluate_volumes, evaluating
from detection import evaluate as command
from detection.data.dataset import Slices
from detection.data.release import open_release
from detection.evaluate import evaluate
from detection.evaluating import Means
from detection.evaluation import pictures
from detection.network.detector import Detector
from detection.presets import PAPER, TINY, to_json
from detection.training import checkpoint, settings
from detection.training.loop import Machine, train
from detection.training.settings import Settings
from tests.detection.releases import REAL, needs_real, save_png, write_release, write_table
from tests.detection.training.test_train import files_of

SMALL = dataclasses.replace(
    TINY,
    input=dataclasses.replace(TINY.input, size=64),
    training=dataclasses.replace(TINY.training, steps=160, batch=4, warmup=5),
)


def trained(folder, release, preset):
    opened = open_release(release)
    asked = Settings(preset, opened.name, opened.sha256)
    settings.write(folder, asked)
    torch.manual_seed(0)
    data = Slices(opened, opened.samples("train"), preset.input, cache=folder / "cache")
    train(folder, asked, Detector(preset), data, Machine("cpu"))
    return folder


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    return write_release(tmp_path_factory.mktemp("many"), patients=40)


@pytest.fixture(scope="module")
def run(many, tmp_path_factory):
    return trained(tmp_path_factory.mktemp("run"), many, SMALL)


def test_a_trained_network_finds_discs_and_says_so(run, many):
    content = evaluate(run, many, how=Means("cpu"), repeats=20, count=3)
    assert content["sensitivity"]["4"] >= 0.7
    made = content["run"]
    assert (content["images"], made["preset"], made["weights"], made["checkpoint"]) == (8, "tiny", "random", "last")
    assert made["options"] == {"input.size": 64, "training.batch": 4, "training.steps": 160, "training.warmup": 5}
    assert made["detector"] == to_json(SMALL)
    folder = run / "evaluation-test"
    assert json.loads((folder / "report.json").read_text())["sensitivity"] == content["sensitivity"]
    for picture in content["pictures"]:
        with Image.open(folder / picture["file"]) as image:
            assert image.mode == "RGB"
    with (folder / "detections.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["File_name", "x1", "y1", "x2", "y2", "score"]
    assert all(1 <= float(row[edge]) <= 64 for row in rows for edge in ("x1", "y1", "x2", "y2"))


def test_slices_of_odd_names_are_evaluated_and_drawn(run, many, tmp_path):
    odd = tmp_path / "odd"
    shutil.copytree(many, odd)
    for folder in (odd / "Images_png").iterdir():
        (folder / "009.png").rename(folder / "9.png")
        (folder / "010.png").rename(folder / "0010.png")
    plain, named = (
        evaluate(run, folder, how=Means("cpu"), repeats=0, count=1, out=tmp_path / folder.name)
        for folder in (many, odd)
    )
    assert named["sensitivity"] == plain["sensitivity"]
    assert all((tmp_path / "odd" / picture["file"]).is_file() for picture in named["pictures"])


def test_an_earlier_evaluation_is_replaced_as_a_whole_and_that_is_said(run, many, tmp_path, capsys, monkeypatch):
    arguments = [str(run), str(many), "--split", "val", "--out", str(tmp_path), "--bootstrap", "0"]
    assert command.main([*arguments, "--pictures", "2"]) == 0
    assert capsys.readouterr().err.splitlines()[-1] == "images 4/4"
    before = (tmp_path / "report.json").read_text()
    with monkeypatch.context() as patch:
        patch.setattr(pictures, "draw", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            command.main([*arguments, "--pictures", "1"])
    assert not (tmp_path / "report.json").exists(), "half an evaluation has no report"
    assert "holds an evaluation, which this one replaces; to keep it, name another --out.\n" in capsys.readouterr().err
    assert command.main([*arguments, "--pictures", "1"]) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert {f"pictures/{path.name}" for path in (tmp_path / "pictures").iterdir()} == {
        picture["file"] for picture in report["pictures"]
    }
    assert report["sensitivity"] == json.loads(before)["sensitivity"]


def test_a_disk_that_runs_full_while_it_detects_is_said(run, many, tmp_path, capsys):
    with files_of(10):
        assert (
            command.main([str(run), str(many), "--split", "val", "--out", str(tmp_path), "--accelerator", "cpu"]) == 1
        )
    assert capsys.readouterr().err.endswith(f"The disk of {tmp_path} is full; make room and evaluate again.\n")


def test_ctrl_c_is_said_in_a_sentence_and_an_earlier_evaluation_stays(run, many, tmp_path, monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    arguments = [str(run), str(many), "--split", "val", "--out", str(tmp_path), "--accelerator", "cpu"]
    assert command.main([*arguments, "--bootstrap", "0"]) == 0
    before = (tmp_path / "report.json").read_bytes()
    monkeypatch.setattr(evaluating, "detect", interrupted)
    assert command.main(arguments) == 130
    assert capsys.readouterr().err.endswith("Stopped before it was done; evaluate again.\n")
    assert (tmp_path / "report.json").read_bytes() == before


def test_an_evaluation_that_comes_to_nothing_leaves_no_folder(run, many, tmp_path, capsys):
    broken = tmp_path / "broken"
    shutil.copytree(many, broken)
    samples = open_release(broken).samples("test")
    (broken / "Images_png" / samples[-1].folder / "010.png").write_bytes(b"no picture")
    arguments = [str(run), str(broken), "--accelerator", "cpu", "--batch", "1", "--out", str(tmp_path / "out")]
    assert command.main(arguments) == 1
    said = capsys.readouterr().err
    assert re.search(rf"^images 1/{len(samples)}$", said, re.MULTILINE)
    assert "010.png" in said.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_patients_of_another_release_may_be_those_it_was_trained_on_which_is_said(run, many, tmp_path, capsys):
    other = tmp_path / "other"
    shutil.copytree(many, other)
    (other / "manifest.json").write_text(json.dumps({"format_version": 1, "name": "others", "files": []}))
    for release in (many, other):
        arguments = [str(run), str(release), "--split", "val", "--bootstrap", "0", "--pictures", "0"]
        assert command.main([*arguments, "--accelerator", "cpu", "--out", str(tmp_path / release.name)]) == 0
    said = (
        f"{run} was trained on another release, discs: patients of it may be among these, and the result be too good."
    )
    assert [line for line in capsys.readouterr().err.splitlines() if "images" not in line] == [said]


def test_bfloat16_finds_what_float32_finds(run, many, tmp_path, monkeypatch):
    # Any processor computes in it, if not fast.
    monkeypatch.setattr(evaluating, "is_fast_in_bfloat16", lambda device: True)
    fast, precise = (
        evaluate(
            run, many, split="all", how=Means("cpu", precise=precise), out=tmp_path / str(precise), repeats=0, count=0
        )
        for precise in (False, True)
    )
    assert (fast["precision"], precise["precision"]) == ("bfloat16", "float32")
    assert fast["average_sensitivity"] == pytest.approx(precise["average_sensitivity"], abs=0.03)


def test_the_command_prints_the_sensitivities_and_refuses_what_is_no_run(run, many, tmp_path, capsys):
    assert command.main([str(run), str(many), "--split", "val", "--accelerator", "cpu", "--bootstrap", "5"]) == 0
    assert "average_sensitivity" in json.loads(capsys.readouterr().out)
    assert command.main([str(tmp_path), str(many)]) == 1
    assert capsys.readouterr().err.endswith("is no run: it holds no run.json.\n")


@needs_real
def test_the_real_slices_go_the_whole_way(tmp_path):
    """Two steps with AlexNet as backbone on the 43 slices, then detections, report and pictures of them."""
    with (REAL / "DL_info.csv").open() as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if (REAL / "Images_png" / row["File_name"][:12] / f"{int(row['Key_slice_index']):03d}.png").is_file()
        ]
    release = tmp_path / "release"
    release.mkdir()
    for row in rows:
        row["Train_Val_Test"] = "1" if row["Train_Val_Test"] == "2" else "3"
    write_table(release / "DL_info.csv", rows)
    os.symlink(REAL / "Images_png", release / "Images_png")
    preset = dataclasses.replace(
        PAPER,
        input=dataclasses.replace(PAPER.input, size=128),
        network=dataclasses.replace(PAPER.network, backbone="alexnet"),
        training=dataclasses.replace(PAPER.training, epochs=1, drop_after=1),
    )
    folder = trained(tmp_path / "run", release, preset)
    content = evaluate(folder, release, how=Means("cpu"), repeats=20, count=2)
    assert content["images"] == len({row["File_name"] for row in rows if row["Train_Val_Test"] == "3"})
    assert content["detections"] > 0
    assert len(content["pictures"]) >= 2


def test_sub_volumes_are_detected_slice_by_slice_and_scored_in_3d(run, many, tmp_path, capsys):
    lesions = {lesion.folder: lesion for lesion in open_release(many).lesions if lesion.split == 3}
    truth = {
        f"{folder}_009-011": [[x1 + 3, y1 + 3, 9, x2 - 1, y2 - 1, 11]]
        for folder, (x1, y1, x2, y2) in ((folder, lesion.box) for folder, lesion in lesions.items())
    }
    path = tmp_path / "truth.json"
    partial = {"000005_01_01_008-011": [], "000010_01_01_011-030": [[1, 1, 20, 9, 9, 25]]}
    path.write_text(json.dumps({**truth, **partial, "000999_01_01_001-002": []}))
    arguments = [str(run), str(many), "--truth", str(path), "--out", str(tmp_path / "out"), "--accelerator", "cpu"]
    assert evaluate_volumes.main(arguments) == 0
    content = json.loads(capsys.readouterr().out)
    assert (content["volumes"], content["partial_volumes"], content["missing_volumes"]) == (8, 2, 1)
    assert content["lesions"] == 8, "those of sub-volumes of which slices are missing do not count"
    assert content["sensitivity"]["4"] >= 0.7
    assert list(content["marked_lesions_alone"]) == ["0.5", "1", "2", "4"]
    assert content["run"]["options"]["training.steps"] == 160
    assert (tmp_path / "out/report.json").is_file()
    path.write_text(json.dumps({**partial, "000999_01_01_001-002": []}))
    assert evaluate_volumes.main(arguments) == 1
    said = "discs holds no sub-volume of truth.json as a whole; complete its images.\n"
    assert capsys.readouterr().err == said


def test_runs_are_compared_by_share_and_patient_by_patient(run, many, tmp_path, capsys):
    evaluate(run, many, how=Means("cpu"), repeats=0, count=0)
    worse = tmp_path / "worse"
    shutil.copytree(run / "evaluation-test", worse / "evaluation-test")
    report = json.loads((worse / "evaluation-test/report.json").read_text())
    report["run"]["fraction"] = 0.25
    report["sensitivity"]["4"] = report["average_sensitivity"] = 0.0
    (worse / "evaluation-test/report.json").write_text(json.dumps(report))
    (worse / "evaluation-test/detections.csv").write_text("File_name,x1,y1,x2,y2,score\n")
    assert compare.main([str(many), str(run), str(worse), "--bootstrap", "50"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert list(content["by_share"]) == ["0.25", "1"]
    assert content["by_share"]["0.25"]["sensitivity"]["4"] == 0
    assert [line["fraction"] for line in content["runs"]] == [1, 0.25]
    (difference,) = content["differences"]
    assert (difference["run"], difference["against"]) == ("worse", run.name)
    assert difference["high"] < 0
    report["release_sha256"] = "other"
    (worse / "evaluation-test/report.json").write_text(json.dumps(report))
    assert compare.main([str(many), str(run), str(worse)]) == 1
    assert compare.main([str(many), str(tmp_path)]) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("was evaluated on another release; evaluate it on this one.")
    assert second.endswith("is not evaluated on the test split; do that with python -m detection.evaluate.")


def test_the_best_checkpoint_is_evaluated_unless_the_last_is_asked_for(run, many, tmp_path):
    """The better one here: of as many steps less, so that it can be told."""
    both = tmp_path / "both"
    shutil.copytree(run, both, ignore=shutil.ignore_patterns("cache", "evaluation-*"))
    content = torch.load(both / checkpoint.FILE, weights_only=True)
    torch.save({**content, "step": 80}, both / checkpoint.BEST)
    for arguments, expected in (((), ("best", 80)), (("--checkpoint", "last"), ("last", 160))):
        assert command.main([str(both), str(many), "--bootstrap", "0", "--pictures", "0", *arguments]) == 0
        made = json.loads((both / "evaluation-test/report.json").read_text())["run"]
        assert (made["checkpoint"], made["step"]) == expected


def test_the_time_left_is_that_of_the_images_not_of_what_is_loaded_before_them(tmp_path, monkeypatch, capsys):
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    tell = evaluating.teller(tmp_path, "images")
    for done, at in ((1, 1100.0), (5, 1140.0), (10, 1190.0)):
        now = at
        tell(done, 10)
    assert capsys.readouterr().err.splitlines() == ["images 1/10", "images 5/10, 0.8 min left", "images 10/10"]


@pytest.mark.parametrize("last", ["absent", "damaged"])
def test_the_best_checkpoint_is_enough_and_says_not_how_far_the_run_came(run, many, tmp_path, capsys, last):
    kept = tmp_path / "kept"
    shutil.copytree(run, kept, ignore=shutil.ignore_patterns("cache", "evaluation-*"))
    content = torch.load(kept / checkpoint.FILE, weights_only=True)
    torch.save({**content, "step": 80}, kept / checkpoint.BEST)
    if last == "absent":
        (kept / checkpoint.FILE).unlink()
    else:
        (kept / checkpoint.FILE).write_bytes(b"PK broken")
    assert command.main([str(kept), str(many), "--bootstrap", "0", "--pictures", "0"]) == 0
    report = json.loads((kept / "evaluation-test/report.json").read_text())
    assert "unfinished" not in report
    assert (report["run"]["step"], report["run"]["steps_done"], report["run"]["steps"]) == (80, 80, None)
    assert "go on with --resume" not in capsys.readouterr().err


def test_a_run_that_broke_off_is_said_and_one_that_learned_nothing_refused(run, many, tmp_path, capsys):
    part = tmp_path / "part"
    shutil.copytree(run, part, ignore=shutil.ignore_patterns("cache", "evaluation-*"))
    content = torch.load(part / checkpoint.FILE, weights_only=True)
    torch.save({**content, "step": 2}, part / checkpoint.FILE)
    path = tmp_path / "truth.json"
    folder = open_release(many).samples("test")[0].folder
    path.write_text(json.dumps({f"{folder}_009-011": []}))
    key_slices = (command.main, [str(part), str(many), "--bootstrap", "0", "--pictures", "0"])
    whole = (evaluate_volumes.main, [str(part), str(many), "--truth", str(path)])
    said = "was trained for 2 of 160 steps; go on with --resume of detection.train"
    for main, arguments in (key_slices, whole):
        assert main([*arguments, "--out", str(tmp_path / "out")]) == 0
        assert capsys.readouterr().err.splitlines()[-1] == f"{part}: The run {said}."
        report = json.loads((tmp_path / "out/report.json").read_text())
        assert report["unfinished"] == f"The run {said}"
        assert (report["run"]["steps_done"], report["run"]["steps"]) == (2, 160)
    torch.save({**content, "step": 0}, part / checkpoint.FILE)
    for main, arguments in (key_slices, whole):
        assert main(arguments) == 1
        assert capsys.readouterr().err.endswith("holds no checkpoint yet but what it starts from; train it first.\n")
    assert not list(part.glob("evaluation-*"))


def test_sub_volumes_are_evaluated_with_the_options_and_the_words_of_key_slices(run, many, tmp_path, capsys):
    other = tmp_path / "other"
    shutil.copytree(many, other)
    (other / "manifest.json").write_text(json.dumps({"format_version": 1, "name": "others", "files": []}))
    path, out = tmp_path / "truth.json", tmp_path / "out"
    folder = open_release(many).samples("test")[0].folder
    path.write_text(json.dumps({f"{folder}_009-011": []}))
    arguments = [str(run), str(other), "--truth", str(path), "--out", str(out), "--checkpoint", "last", "--precise"]
    arguments += ["--workers", "0", "--cache", str(tmp_path / "cache")]
    assert evaluate_volumes.main(arguments) == 0
    told = capsys.readouterr()
    content = json.loads(told.out)
    assert (content["run"]["checkpoint"], content["precision"], content["release"]) == ("last", "float32", "others")
    first, *_, last, caution = told.err.splitlines()
    assert re.fullmatch(r"slices [123]/3(, 0\.\d min left)?", first)
    assert last == "slices 3/3"
    assert caution.startswith(f"{run} was trained on another release, discs: ")
    assert json.loads((out / "progress.json").read_text())["unit"] == "slices"
    assert any((tmp_path / "cache").iterdir())
    assert evaluate_volumes.main(arguments) == 0
    said = f"{out} holds an evaluation, which this one replaces; to keep it, name another --out."
    assert capsys.readouterr().err.splitlines()[0] == said
    for refused in ([str(tmp_path / "none"), *arguments[1:]], [*arguments, "--truth", str(tmp_path / "no.json")]):
        assert evaluate_volumes.main(refused) == 1
        assert "replaces" not in capsys.readouterr().err, "what is refused replaces nothing"
    assert command.main([str(tmp_path / "none"), str(many), "--out", str(out)]) == 1
    assert "replaces" not in capsys.readouterr().err


def test_pictures_are_drawn_in_the_papers_colours(tmp_path):
    save_png(tmp_path / "001.png", np.zeros((128, 128)))
    lesions = np.array([[20.0, 20, 50, 50], [80, 80, 110, 110]])
    found = np.array([[21.0, 21, 51, 51, 0.9], [70, 10, 90, 30, 0.8], [5, 90, 20, 110, 0.4]])
    pictures.draw(tmp_path / "001.png", lesions, found, tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as image:
        colours = {colour for _, colour in image.getcolors(1 << 20)}
        assert image.size == (512, 512)
        assert image.getpixel((int(70.5 * 4 - 0.5), 60)) == pictures.RED
        assert image.getpixel((30, 400)) != pictures.RED, "unsure detections are not shown"
    assert {pictures.YELLOW, pictures.GREEN, pictures.RED, pictures.BLUE} <= colours


def test_scores_at_the_right_edge_and_of_near_boxes_are_all_written(tmp_path, monkeypatch):
    written = []
    save_png(tmp_path / "001.png", np.zeros((128, 128)))
    found = np.array([[90.0, 20, 127, 50, 0.9], [92, 21, 127, 52, 0.8], [94, 22, 126, 54, 0.7]])
    text = ImageDraw.ImageDraw.text

    def watched(canvas, place, score, **how):
        written.append((score, *canvas.textbbox(place, score, font=how["font"], anchor=how["anchor"])))
        text(canvas, place, score, **how)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", watched)
    pictures.draw(tmp_path / "001.png", np.zeros((0, 4)), found, tmp_path / "out.png")
    assert [score for score, *_ in written] == ["0.900", "0.800", "0.700"]
    for _, x1, y1, x2, y2 in written:
        assert (x1 >= 0, y1 >= 0, x2 <= 512, y2 <= 512) == (True, True, True, True)
    for (*_, above), (_, _, below, *_) in itertools.pairwise(written):
        assert above <= below, "one score below the other"


def test_pictures_are_chosen_by_seed_and_the_worst_misses_follow():
    box = np.array([[0.0, 0, 10, 10]])
    hit, unsure = np.array([[0.0, 0, 10, 10, 0.9]]), np.array([[0.0, 0, 10, 10, 0.3]])
    found = [hit, hit, np.zeros((0, 5)), unsure, hit]
    chosen = pictures.choose([box] * 5, found, count=1, seed=1)
    assert chosen == pictures.choose([box] * 5, found, count=1, seed=1)
    drawn = chosen[0][0]
    assert chosen[0][1] == "random"
    expected = next(index for index in (2, 3) if index != drawn)
    assert chosen[1:] == [(expected, "missed")]
