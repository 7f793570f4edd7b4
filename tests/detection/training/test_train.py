"""Training: reproducible, resumable, and plain about what goes wrong."""

import dataclasses
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from detection import train as command
from detection.data.dataset import Slices
from detection.data.release import open_release
from detection.errors import BadCheckpoint, BadRun, NonFiniteLoss
from detection.network.detector import Detector
from detection.presets import PAPER, TINY, Preset
from detection.training import checkpoint, settings
from detection.training.loop import Machine, check_batch, train
from detection.training.optimizer import learning_rate
from detection.training.settings import Settings

SMALL = dataclasses.replace(
    TINY,
    input=dataclasses.replace(TINY.input, size=64),
    training=dataclasses.replace(TINY.training, epochs=3, drop_after=2, batch=4),
)


def run(folder: Path, release: Path, preset: Preset = SMALL, machine: Machine | None = None, **options) -> list[dict]:
    """Train and give the metrics."""
    opened = open_release(release)
    asked = Settings(preset, opened.name, opened.sha256, seed=3)
    settings.write(folder, asked)
    torch.manual_seed(asked.seed)
    data = Slices(opened, opened.samples("train"), preset.input, cache=folder / "cache", seed=3)
    train(folder, asked, Detector(preset), data, machine or Machine("cpu"), **options)
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_the_same_seed_draws_the_same_curve(discs, tmp_path):
    first, again = (run(tmp_path / name, discs) for name in ("a", "b"))
    assert first == again
    assert [line["step"] for line in first] == list(range(1, 7))


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


def test_progress_is_told_and_kept(discs, tmp_path):
    told = []
    run(tmp_path, discs, progress=lambda *values: told.append(values))
    assert told[-1] == (6, 6, 0)
    assert json.loads((tmp_path / "progress.json").read_text())["step"] == 6


def test_the_curves_are_in_tensorboard(discs, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    lines = run(tmp_path, discs)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [event.value for event in events.Scalars("loss")] == pytest.approx([line["loss"] for line in lines])


def test_a_loss_that_is_not_finite_stops_with_the_images_of_its_batch(discs, tmp_path):
    wild = dataclasses.replace(
        SMALL,
        training=dataclasses.replace(SMALL.training, optimizer="sgd", learning_rate=1e30, clip_norm=1e30, warmup=0),
    )
    with pytest.raises(NonFiniteLoss, match=r"not finite at step \d, in the batch of 0000\d\d_01_01_010.png, "):
        run(tmp_path, discs, wild)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert all(math.isfinite(json.loads(line)["loss"]) for line in lines)


def test_the_rate_rises_stays_and_drops():
    config = dataclasses.replace(PAPER.training, warmup=10)
    rates = [learning_rate(config, step, per_epoch=100) for step in (1, 10, 600, 601, 800)]
    assert rates == pytest.approx([0.002 * 0.19, 0.002, 0.002, 0.0002, 0.0002])


def test_a_checkpoint_of_another_preset_or_a_damaged_one_is_refused(discs, tmp_path):
    run(tmp_path, discs, machine=Machine("cpu", seconds=0))
    with pytest.raises(BadCheckpoint, match="is a checkpoint of preset tiny, not of paper"):
        checkpoint.load(tmp_path, PAPER)
    path = tmp_path / checkpoint.FILE
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(BadCheckpoint, match="cannot be read as a checkpoint"):
        checkpoint.load(tmp_path, SMALL)


def test_a_save_that_fails_leaves_the_checkpoint_before_it(discs, tmp_path, monkeypatch):
    run(tmp_path, discs, machine=Machine("cpu", seconds=0))
    before = (tmp_path / checkpoint.FILE).read_bytes()

    def full(content, file):
        file.write(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(torch, "save", full)
    network = Detector(SMALL)
    with pytest.raises(OSError, match="no space left"):
        checkpoint.save(tmp_path, SMALL, network, torch.optim.SGD(network.parameters()), 2)
    assert (tmp_path / checkpoint.FILE).read_bytes() == before


def test_a_batch_that_does_not_divide_is_refused():
    check_batch(8, 4)
    with pytest.raises(BadRun, match=r"^A batch of 8 does not divide among 3 devices$"):
        check_batch(8, 3)


def torchrun(release, out, environment, *more):
    arguments = [
        sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone", "-m",
        "detection.train", str(release), "--preset", "tiny", "--out", str(out), "--accelerator", "cpu",
        "--epochs", "1", "--weights", "random", *more,
    ]  # fmt: skip
    return subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False, timeout=300)


def test_two_processes_train_one_network(discs, tmp_path):
    done = torchrun(discs, tmp_path / "run", {**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "run/metrics.jsonl").read_text().splitlines()) == 1
    _, kept, step = checkpoint.detector(tmp_path / "run")
    assert (kept.preset.name, step) == ("tiny", 1)


def start(*arguments) -> int:
    return command.main([*map(str, arguments), "--accelerator", "cpu"])


def test_the_command_says_and_records_that_it_starts_from_random_weights(discs, tmp_path, capsys):
    assert start(discs, "--preset", "tiny", "--out", tmp_path / "run", "--epochs", 1, "--fraction", 0.5) == 0
    assert "starts from random weights: there are no pretrained weights for narrow" in capsys.readouterr().err
    kept = settings.read(tmp_path / "run")
    assert (kept.weights, kept.fraction, kept.release) == ("random", 0.5, "discs")


def test_weights_from_a_file_freeze_the_early_layers(discs, tmp_path):
    from detection.network.backbones import KINDS

    state = KINDS["alexnet"]().state_dict()
    torch.save(state, tmp_path / "alexnet.pth")
    small = ("--batch", 2, "--epochs", 1, "--fraction", 0.1)
    assert (
        start(discs, "--backbone", "alexnet", "--weights", tmp_path / "alexnet.pth", "--out", tmp_path / "run", *small)
        == 0
    )
    network, kept, _ = checkpoint.detector(tmp_path / "run")
    assert kept.weights == "alexnet.pth"
    trained = network.backbone.state_dict()
    assert torch.equal(trained["features.0.weight"], state["features.0.weight"])
    assert not torch.equal(trained["features.10.weight"], state["features.10.weight"])


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


def test_a_run_of_another_version_is_refused(discs, tmp_path):
    run(tmp_path, discs, machine=Machine("cpu", seconds=0))
    content = json.loads((tmp_path / "run.json").read_text())
    del content["preset"]["network"]
    (tmp_path / "run.json").write_text(json.dumps(content))
    with pytest.raises(BadRun, match="another version of the detector"):
        settings.read(tmp_path)
