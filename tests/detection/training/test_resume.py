"""Runs that were cut off end as if they had not been."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch

from detection import train as command
from detection.training import checkpoint
from detection.training.loop import Machine
from tests.detection.training.running import SMALL, lines_of, run, start, validated


def test_a_resumed_run_keeps_the_best_of_its_first_part(discs, tmp_path):
    whole = validated(tmp_path / "whole", discs)
    for resume in (False, True, True):
        validated(tmp_path / "part", discs, machine=Machine("cpu", seconds=0), resume=resume)
    assert validated(tmp_path / "part", discs, resume=True) == whole
    first, other = (checkpoint.load(tmp_path / name, SMALL, name=checkpoint.BEST) for name in ("whole", "part"))
    assert (first["step"], first["best"]) == (other["step"], other["best"])


def test_a_killed_process_resumes_to_the_same_curve(discs, tmp_path):
    def arguments(out: Path, *more: str) -> list[str]:
        return [
            str(discs), "--preset", "tiny", "--out", str(out), "--accelerator", "cpu", "--batch", "1",
            "--epochs", "4", "--weights", "random", "--cache", str(tmp_path / "cache"), *more,
        ]  # fmt: skip

    assert command.main(arguments(tmp_path / "whole")) == 0
    part = tmp_path / "part"
    process = subprocess.Popen(
        [sys.executable, "-m", "detection.train", *arguments(part)],
        env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while len(lines_of(part)) < 14 and time.monotonic() < deadline:
        time.sleep(0.005)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert 7 <= checkpoint.detector(part).step < 28
    assert command.main(arguments(part, "--resume")) == 0
    assert lines_of(part) == lines_of(tmp_path / "whole")
    first, other = (checkpoint.detector(tmp_path / name).network.state_dict() for name in ("whole", "part"))
    assert all(torch.equal(first[key], other[key]) for key in first)


def test_an_interrupted_run_resumes_to_the_same_curve(discs, tmp_path):
    whole = run(tmp_path / "whole", discs)
    part = run(tmp_path / "part", discs, machine=Machine("cpu", seconds=0))
    assert len(part) == 1
    for _ in range(2):
        run(tmp_path / "part", discs, machine=Machine("cpu", seconds=0), resume=True)
    assert run(tmp_path / "part", discs, resume=True) == whole
    first, other = (checkpoint.load(tmp_path / name, SMALL)["network"] for name in ("whole", "part"))
    assert all(torch.equal(first[key], other[key]) for key in first)


def test_lines_after_the_checkpoint_and_half_a_line_are_dropped_on_resuming(discs, tmp_path):
    whole = run(tmp_path / "whole", discs)
    run(tmp_path / "part", discs, machine=Machine("cpu", seconds=0))
    with (tmp_path / "part/metrics.jsonl").open("a") as file:
        file.write('{"step": 2, "loss": 99}\n{"step": 3, "lo')
    assert run(tmp_path / "part", discs, resume=True) == whole


def test_a_run_cut_off_before_its_first_step_is_resumed_from_what_it_started_from(
    discs, tmp_path, monkeypatch, capsys
):
    arguments = (discs, "--preset", "tiny", "--epochs", 1, "--batch", 2)
    assert start(*arguments, "--out", tmp_path / "whole") == 0

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(command, "train", killed)
        assert start(*arguments, "--out", tmp_path / "part") == 130
    assert capsys.readouterr().err.endswith("Stopped; --resume goes on from the newest checkpoint.\n")
    assert start(discs, "--out", tmp_path / "part", "--resume") == 0
    assert lines_of(tmp_path / "part") == lines_of(tmp_path / "whole")


def test_a_run_goes_on_as_it_was_started_and_says_where_it_is_asked_to_be_another(discs, tmp_path, capsys):
    started = ("--preset", "tiny", "--epochs", 2, "--batch", 4, "--seed", 5, "--flip", "--scale", 0.1)
    assert start(discs, "--out", tmp_path / "run", *started, "--minutes", 1e-9) == 0
    before = lines_of(tmp_path / "run")
    for asked in (
        "--preset paper", "--seed 7", "--fraction 0.5", "--epochs 9", "--batch 2", "--learning-rate 0.1",
        "--weights random.pth", "--backbone alexnet", "--spacing 0.8", "--scale 0.2", "--z-jitter 1.0",
        "--ignore-unannotated 0.5", "--no-flip",
    ):  # fmt: skip
        assert start(discs, "--out", tmp_path / "run", "--resume", *asked.split()) == 1
        said = f"run was not started with {asked}; leave that out to go on, or start another run.\n"
        assert capsys.readouterr().err.endswith(said)
    assert lines_of(tmp_path / "run") == before
    assert start(discs, "--out", tmp_path / "run", "--resume", *started, "--weights", "imagenet") == 0
    lines = lines_of(tmp_path / "run")
    assert len(lines) == 4
    assert [line["step"] for line in map(json.loads, lines) if "val_loss" in line] == [2, 4], "each epoch is validated"
    capsys.readouterr()
    assert start(discs, "--out", tmp_path / "run", "--resume") == 0
    assert capsys.readouterr().err.splitlines()[-1] == "step 4/4, trained"
    assert lines_of(tmp_path / "run") == lines
