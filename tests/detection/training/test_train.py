"""Training: reproducible, resumable, and plain about what goes wrong."""

import dataclasses
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from detection import train as command
from detection.data.dataset import Slices
from detection.data.release import open_release
from detection.errors import BadCheckpoint, BadRun, NonFiniteLoss, OutOfMemory
from detection.network.detector import Detector
from detection.presets import PAPER, TINY, Preset
from detection.training import checkpoint, settings
from detection.training.loop import Machine, check_batch, train
from detection.training.optimizer import learning_rate
from detection.training.settings import Settings
from detection.training.validation import some
from tests.detection.releases import write_release

SMALL = dataclasses.replace(
    TINY,
    input=dataclasses.replace(TINY.input, size=64),
    training=dataclasses.replace(TINY.training, steps=0, epochs=3, drop_after=2, batch=4, validate_every=0),
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


def test_a_training_may_be_so_many_steps_long_whatever_the_releases_size(discs, tmp_path):
    short = dataclasses.replace(SMALL, training=dataclasses.replace(SMALL.training, steps=3, warmup=0))
    lines = run(tmp_path, discs, short)
    assert [line["step"] for line in lines] == [1, 2, 3]
    falling = [SMALL.training.learning_rate * share for share in (1, 2 / 3, 1 / 3)]
    assert [line["learning_rate"] for line in lines] == pytest.approx(falling)


def validated(folder: Path, release: Path, **options) -> list[dict]:
    opened = open_release(release)
    data = Slices(opened, some(opened.samples("val"), 0), SMALL.input)
    return run(folder, release, validation=data, **options)


def test_each_epoch_is_validated_without_disturbing_what_is_learned(discs, tmp_path):
    lines = validated(tmp_path / "looked", discs)
    assert [line["step"] for line in lines if "val_loss" in line] == [2, 4, 6]
    assert all(0 <= line["val_sensitivity_4"] <= 1 and line["val_loss"] > 0 for line in lines if "val_loss" in line)
    alone = run(tmp_path / "alone", discs)
    assert [{name: line[name] for name in alone[0]} for line in lines] == alone


def test_the_best_by_validation_is_kept_beside_the_last(discs, tmp_path):
    lines = validated(tmp_path, discs)
    found = {line["step"]: line["val_sensitivity_4"] for line in lines if "val_loss" in line}
    best = checkpoint.load(tmp_path, SMALL, name=checkpoint.BEST)
    assert (best["step"], best["best"]) == (max(found, key=lambda step: (found[step], -step)), max(found.values()))
    assert checkpoint.detector(tmp_path)[2] == 6
    assert checkpoint.detector(tmp_path, name=checkpoint.BEST)[2] == best["step"]


def test_a_resumed_run_keeps_the_best_of_its_first_part(discs, tmp_path):
    whole = validated(tmp_path / "whole", discs)
    for resume in (False, True, True):
        validated(tmp_path / "part", discs, machine=Machine("cpu", seconds=0), resume=resume)
    assert validated(tmp_path / "part", discs, resume=True) == whole
    first, other = (checkpoint.load(tmp_path / name, SMALL, name=checkpoint.BEST) for name in ("whole", "part"))
    assert (first["step"], first["best"]) == (other["step"], other["best"])


def test_a_run_without_validation_has_no_best_checkpoint_and_says_so(discs, tmp_path):
    run(tmp_path, discs, machine=Machine("cpu", seconds=0))
    with pytest.raises(BadCheckpoint, match="holds no best checkpoint, as nothing was validated"):
        checkpoint.detector(tmp_path, name=checkpoint.BEST)


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
    while len(_lines(part)) < 14 and time.monotonic() < deadline:
        time.sleep(0.005)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert 7 <= checkpoint.detector(part)[2] < 28
    assert command.main(arguments(part, "--resume")) == 0
    assert _lines(part) == _lines(tmp_path / "whole")
    first, other = (checkpoint.detector(tmp_path / name)[0].state_dict() for name in ("whole", "part"))
    assert all(torch.equal(first[key], other[key]) for key in first)


def _lines(folder: Path) -> list[str]:
    path = folder / "metrics.jsonl"
    return path.read_text().splitlines() if path.is_file() else []


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


def test_too_little_memory_is_said_in_a_sentence(discs, tmp_path, monkeypatch):
    monkeypatch.setattr(Detector, "features", lambda *_: torch.empty(1 << 50))
    with pytest.raises(OutOfMemory, match="try a smaller --batch"):
        run(tmp_path, discs)


def test_the_rate_rises_stays_and_drops():
    config = dataclasses.replace(PAPER.training, warmup=10)
    rates = [learning_rate(config, step, per_epoch=100) for step in (1, 10, 600, 601, 800)]
    assert rates == pytest.approx([0.002 * 0.19, 0.002, 0.002, 0.0002, 0.0002])


def test_a_checkpoint_of_another_preset_or_a_damaged_one_is_refused(discs, tmp_path):
    run(tmp_path, discs, machine=Machine("cpu", seconds=0))
    with pytest.raises(BadCheckpoint, match="is a checkpoint of preset tiny, not of paper; name the run"):
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
    keeper = checkpoint.Keeper(tmp_path, SMALL, network, torch.optim.SGD(network.parameters()), -1.0)
    with pytest.raises(OSError, match="no space left"):
        keeper.keep(2, {})
    assert (tmp_path / checkpoint.FILE).read_bytes() == before


def test_a_batch_that_does_not_divide_is_refused():
    check_batch(8, 4)
    with pytest.raises(BadRun, match=r"^A batch of 8 does not divide among 3 devices$"):
        check_batch(8, 3)


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
    assert len(_lines(tmp_path / "run")) == 1
    _, kept, step = checkpoint.detector(tmp_path / "run")
    assert (kept.preset.name, step) == ("tiny", 1)


def test_two_processes_learn_what_one_does_and_one_of_them_writes(discs, tmp_path):
    script = Path(__file__).with_name("one_of_several.py")
    alone = subprocess.run(
        [sys.executable, script, discs, tmp_path / "alone"], env={**os.environ, "PYTHONPATH": os.getcwd()}, check=False
    )
    assert alone.returncode == 0
    done = torchrun(script, discs, tmp_path / "both")
    assert done.returncode == 0, done.stderr
    one, two = ([json.loads(line) for line in _lines(tmp_path / name)] for name in ("alone", "both"))
    assert [line["step"] for line in two] == [1, 2, 3, 4]
    for first, other in zip(one, two, strict=True):
        assert other == pytest.approx(first, rel=1e-3, abs=1e-5)
    first, other = (checkpoint.detector(tmp_path / name)[0].state_dict() for name in ("alone", "both"))
    for name, values in first.items():
        torch.testing.assert_close(other[name], values, rtol=1e-3, atol=1e-5)
    events = list((tmp_path / "both/tensorboard").iterdir())
    assert len(events) == 1


def start(*arguments) -> int:
    return command.main([*map(str, arguments), "--accelerator", "cpu"])


def test_the_command_says_and_records_that_it_starts_from_random_weights(discs, tmp_path, capsys):
    assert start(discs, "--preset", "tiny", "--out", tmp_path / "run", "--epochs", 1, "--fraction", 0.5) == 0
    assert "starts from random weights: there are no pretrained weights for narrow" in capsys.readouterr().err
    kept = settings.read(tmp_path / "run")
    assert (kept.weights, kept.fraction, kept.release) == ("random", 0.5, "discs")


def test_a_release_without_a_validation_split_trains_all_the_same(tmp_path, capsys):
    release = write_release(tmp_path / "release", patients=2)
    assert start(release, "--preset", "tiny", "--out", tmp_path / "run", "--epochs", 1, "--batch", 2) == 0
    assert "Nothing is validated: discs has no lesion in the val split." in capsys.readouterr().err
    assert "val_loss" not in json.loads(_lines(tmp_path / "run")[-1])


def test_a_run_cut_off_before_its_first_step_is_resumed_from_what_it_started_from(discs, tmp_path, monkeypatch):
    arguments = (discs, "--preset", "tiny", "--epochs", 1, "--batch", 2)
    assert start(*arguments, "--out", tmp_path / "whole") == 0

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(command, "train", killed)
        with pytest.raises(KeyboardInterrupt):
            start(*arguments, "--out", tmp_path / "part")
    assert start(discs, "--out", tmp_path / "part", "--resume") == 0
    assert _lines(tmp_path / "part") == _lines(tmp_path / "whole")


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
