"""Values on command lines that make no sense end the command in one sentence, before any work."""

import pytest
import torch

from detection import compare, evaluate, evaluate_volumes, train
from detection.accepted import LARGEST_SEED
from detection.bodypart import train as bodypart
from detection.evaluation import froc

TRAIN = (train.main, "release", "--out", "run")
EVALUATE = (evaluate.main, "run", "release")
VOLUMES = (evaluate_volumes.main, "run", "release", "--truth", "truth.json")
FROC = (froc.main, "--truth", "DL_info.csv", "--detections", "found.csv")
BODYPART = (bodypart.main, "release", "--out", "run")
COMPARE = (compare.main, "release", "run")

NO_COUNT, NO_POSITIVE = "is no whole number from 0 up", "is no whole number from 1 up"
NO_SHARE, NOT_ABOVE_ZERO = "is no number above 0 and at most 1", "is no number above 0"


@pytest.mark.parametrize(
    ("command", "flag", "values", "said"),
    [
        (TRAIN, "--epochs", ("0", "-1", "nan", "1.5", "x"), NO_POSITIVE),
        (TRAIN, "--batch", ("0", "-8"), NO_POSITIVE),
        (TRAIN, "--devices", ("0",), NO_POSITIVE),
        (TRAIN, "--workers", ("-1",), NO_COUNT),
        (TRAIN, "--seed", ("-1", "x"), NO_COUNT),
        (TRAIN, "--seed", (str(LARGEST_SEED + 1),), f"is above {LARGEST_SEED}"),
        (TRAIN, "--fraction", ("0", "1.1", "nan"), NO_SHARE),
        (TRAIN, "--ignore-unannotated", ("2",), NO_SHARE),
        (TRAIN, "--learning-rate", ("0", "-1", "nan", "inf"), NOT_ABOVE_ZERO),
        (TRAIN, "--minutes", ("0", "nan"), NOT_ABOVE_ZERO),
        (TRAIN, "--spacing", ("0", "-1"), NOT_ABOVE_ZERO),
        (TRAIN, "--scale", ("1", "2", "-0.1"), "is no number from 0 to below 1"),
        (TRAIN, "--z-jitter", ("-1", "nan", "inf"), "is no number from 0 up"),
        (EVALUATE, "--batch", ("0", "-1"), NO_POSITIVE),
        (EVALUATE, "--pictures", ("-1",), NO_COUNT),
        (EVALUATE, "--bootstrap", ("-1",), NO_COUNT),
        (EVALUATE, "--workers", ("-1",), NO_COUNT),
        (VOLUMES, "--batch", ("0",), NO_POSITIVE),
        (FROC, "--iou", ("0", "-1", "2", "nan"), NO_SHARE),
        (FROC, "--bootstrap", ("-1", "x"), NO_COUNT),
        (COMPARE, "--bootstrap", ("-1",), NO_COUNT),
        (BODYPART, "--steps", ("0", "-1"), NO_POSITIVE),
        (BODYPART, "--threads", ("0",), NO_POSITIVE),
        (BODYPART, "--seed", ("-1",), NO_COUNT),
        (BODYPART, "--seconds", ("0", "nan"), NOT_ABOVE_ZERO),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith("--") else "",
)
def test_a_value_that_makes_no_sense_is_refused(capsys, command, flag, values, said):
    main, *arguments = command
    for value in values:
        with pytest.raises(SystemExit) as ended:
            main([*arguments, f"{flag}={value}"])
        assert ended.value.code == 2
        assert capsys.readouterr().err.splitlines()[-1].endswith(f"error: argument {flag}: {value} {said}")


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.usefixtures("no_gpu")
def test_a_gpu_that_is_not_there_is_said_before_anything_is_written(discs, tmp_path, capsys):
    arguments = [str(discs), "--preset", "tiny", "--weights", "random", "--out", str(tmp_path / "run")]
    assert train.main([*arguments, "--accelerator", "cuda"]) == 1
    said = capsys.readouterr().err
    assert said == "PyTorch finds no GPU here; leave --accelerator cuda out to use the processor.\n"
    assert train.main([*arguments, "--accelerator", "cpu", "--batch", "4", "--devices", "3"]) == 1
    assert capsys.readouterr().err == "A batch of 4 does not divide among 3 devices.\n"
    assert not (tmp_path / "run").exists()


def test_a_file_in_the_place_of_a_folder_and_a_folder_in_the_place_of_a_file_are_named(discs, tmp_path, capsys):
    file = tmp_path / "file"
    file.write_text("x")
    small = ["--preset", "tiny", "--accelerator", "cpu"]
    for main, arguments in (
        (train.main, [str(file), "--out", str(tmp_path / "run"), *small]),
        (train.main, [str(discs), "--out", str(file), *small]),
        (train.main, [str(discs), "--out", str(tmp_path / "run"), *small, "--cache", str(file)]),
        (train.main, [str(discs), "--out", str(tmp_path / "run"), *small, "--weights", str(tmp_path)]),
        (train.main, [str(discs), "--out", str(file), "--resume"]),
        (evaluate.main, [str(file), str(discs)]),
        (evaluate_volumes.main, [str(file), str(discs), "--truth", str(tmp_path)]),
        (froc.main, ["--truth", str(tmp_path), "--detections", str(file)]),
        (froc.main, ["--truth", str(discs / "DL_info.csv"), "--detections", str(tmp_path)]),
        (compare.main, [str(discs), str(file)]),
    ):
        assert main(arguments) == 1, arguments
        said = capsys.readouterr().err.splitlines()[-1]
        assert said.endswith("."), said
        assert file.name in said or tmp_path.name in said
