"""The command `python -m detection.train`, alone and under torchrun."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from detection import refusal
from detection.training import checkpoint, settings
from tests.detection.releases import write_release
from tests.detection.training.running import lines_of, start


def torchrun(*arguments) -> subprocess.CompletedProcess:
    code = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    return subprocess.run(
        [*code, *map(str, arguments)], env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.getcwd()},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def test_the_command_runs_under_torchrun(discs, tmp_path):
    done = torchrun(
        "-m", "detection.train", discs, "--preset", "tiny", "--out", tmp_path / "run", "--accelerator", "cpu",
        "--epochs", 1, "--weights", "random",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(lines_of(tmp_path / "run")) == 1
    trained = checkpoint.detector(tmp_path / "run")
    kept, step = trained.settings, trained.step
    assert (kept.preset.name, step) == ("tiny", 1)


def test_two_processes_learn_what_one_does_and_one_of_them_writes(discs, tmp_path):
    script = Path(__file__).with_name("one_of_several.py")
    alone = subprocess.run(
        [sys.executable, script, discs, tmp_path / "alone"], env={**os.environ, "PYTHONPATH": os.getcwd()}, check=False
    )
    assert alone.returncode == 0
    done = torchrun(script, discs, tmp_path / "both")
    assert done.returncode == 0, done.stderr
    one, two = ([json.loads(line) for line in lines_of(tmp_path / name)] for name in ("alone", "both"))
    assert [line["step"] for line in two] == [1, 2, 3, 4]
    for first, other in zip(one, two, strict=True):
        assert other == pytest.approx(first, rel=1e-3, abs=1e-5)
    first, other = (checkpoint.detector(tmp_path / name).network.state_dict() for name in ("alone", "both"))
    for name, values in first.items():
        torch.testing.assert_close(other[name], values, rtol=1e-3, atol=1e-5)
    events = list((tmp_path / "both/tensorboard").iterdir())
    assert len(events) == 1


def test_what_one_of_two_processes_cannot_read_is_said_once_and_last(tmp_path):
    release = write_release(tmp_path / "release", patients=46)
    # One of the 32 slices to train on, so that one process meets it while the other has a whole batch.
    (release / "Images_png/000004_01_01/010.png").write_bytes(b"noise")
    arguments = (
        release, "--out", tmp_path / "run", "--preset", "tiny", "--accelerator", "cpu", "--devices", 2, "--batch", 2,
        "--epochs", 1, "--weights", "random",
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "detection.train", *map(str, arguments)], env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    said = "000004_01_01/010.png cannot be decoded; copy it again"
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, f"{said}."), done.stderr
    assert done.stderr.count(said) == 1
    assert refusal.read(tmp_path / "run") == said


def test_the_command_says_and_records_that_it_starts_from_random_weights(discs, tmp_path, capsys):
    assert start(discs, "--preset", "tiny", "--out", tmp_path / "run", "--epochs", 1, "--fraction", 0.5) == 0
    assert "starts from random weights: there are no pretrained weights for narrow" in capsys.readouterr().err
    kept = settings.read(tmp_path / "run")
    assert (kept.weights, kept.fraction, kept.release) == ("random", 0.5, "discs")


def test_the_slice_cache_stays_until_the_training_is_over_unless_it_was_named(discs, tmp_path, capsys):
    arguments = (discs, "--preset", "tiny", "--out", tmp_path / "run", "--epochs", 2, "--batch", 4)
    assert start(*arguments, "--minutes", 1e-9) == 0
    said = "Stopped at step 1 of 4, as its 1e-09 minutes are over; --resume goes on from there.\n"
    assert capsys.readouterr().err.endswith(said)
    assert any((tmp_path / "run/cache").iterdir())
    assert start(*arguments, "--resume") == 0
    assert "Stopped" not in capsys.readouterr().err
    assert len(lines_of(tmp_path / "run")) == 4
    assert not (tmp_path / "run/cache").exists()
    named = tmp_path / "named"
    assert start(discs, "--preset", "tiny", "--out", tmp_path / "other", "--epochs", 1, "--cache", named) == 0
    assert any(named.iterdir())


def test_a_release_without_a_validation_split_trains_all_the_same(tmp_path, capsys):
    release = write_release(tmp_path / "release", patients=2)
    assert start(release, "--preset", "tiny", "--out", tmp_path / "run", "--epochs", 1, "--batch", 2) == 0
    assert "Nothing is validated: discs has no lesion in the val split." in capsys.readouterr().err
    assert "val_loss" not in json.loads(lines_of(tmp_path / "run")[-1])


def test_weights_from_a_file_freeze_the_early_layers(discs, tmp_path):
    from detection.network.backbones import KINDS

    state = KINDS["alexnet"]().state_dict()
    torch.save(state, tmp_path / "alexnet.pth")
    small = ("--batch", 2, "--epochs", 1, "--fraction", 0.1)
    assert (
        start(discs, "--backbone", "alexnet", "--weights", tmp_path / "alexnet.pth", "--out", tmp_path / "run", *small)
        == 0
    )
    trained = checkpoint.detector(tmp_path / "run")
    network, kept = trained.network, trained.settings
    assert kept.weights == "alexnet.pth"
    trained = network.backbone.state_dict()
    assert torch.equal(trained["features.0.weight"], state["features.0.weight"])
    assert not torch.equal(trained["features.10.weight"], state["features.10.weight"])


def test_weights_that_are_refused_leave_nothing_behind(discs, tmp_path, capsys):
    out = tmp_path / "run"
    assert start(discs, "--preset", "tiny", "--out", out, "--weights", tmp_path / "none.pth") == 1
    assert capsys.readouterr().err.endswith("none.pth is not there; name a file of weights, imagenet or random.\n")
    assert not out.exists()


def test_an_existing_run_is_not_overwritten_and_another_release_not_resumed(discs, tmp_path, capsys):
    out = tmp_path / "run"
    assert start(discs, "--preset", "tiny", "--out", out, "--epochs", 1) == 0
    assert start(discs, "--preset", "tiny", "--out", out) == 1
    kept = settings.read(out)
    settings.write(out, dataclasses.replace(kept, release_sha256="other", release="another"))
    assert start(discs, "--out", out, "--resume") == 1
    assert start(discs, "--out", tmp_path / "none", "--resume") == 1
    first, second, third = capsys.readouterr().err.splitlines()[-3:]
    assert first.endswith("holds a run already; go on with --resume or name another folder.")
    assert second.endswith("was trained on another, not on this discs.")
    assert third.endswith("is no run: it holds no run.json.")


def test_a_batch_of_more_images_than_there_are_is_refused_before_anything_is_written(discs, tmp_path, capsys):
    out = tmp_path / "run"
    assert start(discs, "--preset", "tiny", "--out", out, "--batch", 100_000_000, "--weights", "random") == 1
    said = "A batch of 100000000 is larger than the 7 images to train on; ask for a smaller --batch.\n"
    assert capsys.readouterr().err == said
    assert not out.exists()


def test_the_terminal_tells_loss_and_validation_and_a_log_gets_fewer_lines(discs, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("detection.training.journal.EVERY_SECONDS", 0.0)
    said = {}
    for terminal in (False, True):
        monkeypatch.setattr(sys.stderr, "isatty", lambda there=terminal: there)
        out = tmp_path / str(terminal)
        assert start(discs, "--preset", "tiny", "--out", out, "--epochs", 2, "--batch", 1, "--minutes", 10) == 0
        said[terminal] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("step ")]
    assert [line.split(",")[0] for line in said[True]] == [f"step {step}/14" for step in range(1, 15)]
    # The first, both looks at the validation split, of which the second may have found as much, and the end.
    assert [line.split(",")[0] for line in said[False]] == ["step 1/14", "step 7/14", "step 14/14"]
    metrics = [json.loads(line) for line in lines_of(tmp_path / "True")]
    loss, found = metrics[-1]["loss"], metrics[-1]["val_sensitivity_4"]
    told = f"step 14/14, loss {loss:.3f}, sensitivity {found:.3f} at 4 false positives in validation, trained"
    assert said[True][-1] == told
