"""Training: reproducible, and plain about what goes wrong."""

import dataclasses
import json
import math
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from detection.errors import BadCheckpoint, BadRun, DiskFull, NonFiniteLoss, OutOfMemory
from detection.network.detector import Detector
from detection.presets import PAPER
from detection.training import checkpoint, settings
from detection.training.loop import Machine, check_batch
from detection.training.optimizer import learning_rate, make_optimizer
from tests.detection.training.running import SMALL, run, validated


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
    assert (best["step"], best["best"]) == (max(found, key=lambda step: (found[step], step)), max(found.values()))
    for which, step in (("last", 6), ("best", best["step"])):
        trained = checkpoint.detector(tmp_path, which)
        assert (trained.which, trained.step) == (which, step)


def test_of_two_that_found_as_many_the_later_is_kept(tmp_path):
    network = Detector(SMALL)
    keeper = checkpoint.Keeper(tmp_path, SMALL, network, make_optimizer(network, SMALL.training), steps=4)
    for step, found in ((1, 0.0), (2, 0.4), (3, 0.4), (4, 0.2)):
        keeper.keep(step, {"val_sensitivity_4": found})
        assert checkpoint.load(tmp_path, SMALL, name=checkpoint.BEST)["step"] == min(step, 3)


def test_of_a_run_without_validation_the_last_checkpoint_is_taken(discs, tmp_path):
    run(tmp_path, discs, machine=Machine("cpu", seconds=0))
    trained = checkpoint.detector(tmp_path, "best")
    assert (trained.which, trained.step) == ("last", 1)


def test_how_far_a_run_came_is_known_beside_the_step_of_its_best(discs, tmp_path):
    """The best of a finished run may be an early one; of one that broke off, the newest."""
    network = Detector(SMALL)
    keeper = checkpoint.Keeper(tmp_path, SMALL, network, make_optimizer(network, SMALL.training), steps=4)
    settings.write(tmp_path, settings.Settings(SMALL, "discs", ""))
    keeper.keep(0, {})
    with pytest.raises(BadCheckpoint, match="holds no checkpoint yet but what it starts from; train it first"):
        checkpoint.detector(tmp_path)
    keeper.keep(2, {"val_sensitivity_4": 0.4})
    keeper.keep(3, {"val_sensitivity_4": 0.1})
    for which, step in (("best", 2), ("last", 3)):
        trained = checkpoint.detector(tmp_path, which)
        assert (trained.step, trained.done, trained.steps) == (step, 3, 4)
        assert trained.unfinished == "was trained for 3 of 4 steps; go on with --resume of detection.train"
    keeper.keep(4, {"val_sensitivity_4": 0.1})
    trained = checkpoint.detector(tmp_path, "best")
    assert (trained.step, trained.done, trained.unfinished) == (2, 4, "")


def test_a_checkpoint_that_does_not_tell_how_much_was_planned_is_read_all_the_same(discs, tmp_path):
    run(tmp_path, discs, machine=Machine("cpu", seconds=0))
    content = torch.load(tmp_path / checkpoint.FILE, weights_only=True)
    assert content.pop("steps") == 6
    torch.save(content, tmp_path / checkpoint.FILE)
    trained = checkpoint.detector(tmp_path)
    assert (trained.done, trained.steps, trained.unfinished) == (1, None, "")
    assert run(tmp_path, discs, resume=True)[-1]["step"] == 6
    assert checkpoint.detector(tmp_path).steps == 6


def test_progress_is_told_and_kept(discs, tmp_path):
    told = []
    run(tmp_path, discs, progress=lambda *values: told.append(values))
    losses = [json.loads(line)["loss"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    *_, (done, total, left, values) = told
    assert (done, total, left) == (6, 6, 0)
    assert values == {"loss": pytest.approx(np.mean(losses[told[-2][0] :] if len(told) > 1 else losses))}
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


class Infinite(torch.autograd.Function):
    """Passes values on; what comes back is infinite."""

    @staticmethod
    def forward(_, values):
        return values.clone()

    @staticmethod
    def backward(_, gradient):
        return gradient * math.inf


def test_a_gradient_that_is_not_finite_stops_and_the_checkpoint_before_it_stays(discs, tmp_path, monkeypatch):
    whole = run(tmp_path / "whole", discs)
    learn, steps = Detector._learn, iter(range(1, 99))

    def broken(*arguments):
        losses = learn(*arguments)
        # The last step of the second epoch, after which a checkpoint is written.
        return losses._replace(head_class=Infinite.apply(losses.head_class)) if next(steps) == 4 else losses

    with monkeypatch.context() as patch:
        patch.setattr(Detector, "_learn", broken)
        with pytest.raises(NonFiniteLoss, match=r"^The gradient is not finite at step 4, in the batch of 0000"):
            run(tmp_path / "part", discs)
    content = checkpoint.load(tmp_path / "part", SMALL)
    assert content["step"] == 2
    assert all(torch.isfinite(values).all() for values in content["network"].values())
    assert run(tmp_path / "part", discs, resume=True) == whole


def test_weights_that_are_not_finite_do_not_replace_a_checkpoint(discs, tmp_path):
    run(tmp_path, discs, machine=Machine("cpu", seconds=0))
    before = (tmp_path / checkpoint.FILE).read_bytes()
    # Everything is finite until the step itself overflows.
    training = dataclasses.replace(SMALL.training, batch=7, optimizer="sgd", learning_rate=1e38, weight_decay=1e38)
    wild = dataclasses.replace(SMALL, training=training)
    with pytest.raises(NonFiniteLoss, match=r"^The weights are not finite after step 1, in the batch of 0000"):
        run(tmp_path, discs, wild)
    assert (tmp_path / checkpoint.FILE).read_bytes() == before


def test_too_little_memory_is_said_in_a_sentence(discs, tmp_path, monkeypatch):
    monkeypatch.setattr(Detector, "features", lambda *_: torch.empty(1 << 50))
    with pytest.raises(OutOfMemory, match="start a new run with a smaller --batch"):
        run(tmp_path, discs)


def test_the_rate_rises_stays_and_drops():
    config = dataclasses.replace(PAPER.training, warmup=10)
    rates = [learning_rate(config, step, per_epoch=100) for step in (1, 10, 600, 601, 800)]
    assert rates == pytest.approx([0.002 * 0.19, 0.002, 0.002, 0.0002, 0.0002])


def test_a_checkpoint_of_another_preset_or_a_damaged_one_is_refused(discs, tmp_path):
    run(tmp_path, discs, machine=Machine("cpu", seconds=0))
    with pytest.raises(BadCheckpoint, match="is a checkpoint of preset tiny, not of paper; name the run"):
        checkpoint.load(tmp_path, PAPER)
    other = dataclasses.replace(SMALL, input=dataclasses.replace(SMALL.input, spacing_mm=0.8))
    with pytest.raises(BadCheckpoint, match="is a checkpoint of preset tiny with another input; name the run"):
        checkpoint.load(tmp_path, other)
    path = tmp_path / checkpoint.FILE
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(BadCheckpoint, match="cannot be read as a checkpoint"):
        checkpoint.load(tmp_path, SMALL)


@contextmanager
def files_of(most: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes."""
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, usual[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)


def test_a_disk_that_runs_full_is_said_and_leaves_the_checkpoint_before_it(discs, tmp_path):
    run(tmp_path, discs, machine=Machine("cpu", seconds=0))
    before = (tmp_path / checkpoint.FILE).read_bytes()
    with files_of(len(before) // 2), pytest.raises(DiskFull, match="make room and go on from the newest checkpoint"):
        run(tmp_path, discs, resume=True)
    assert (tmp_path / checkpoint.FILE).read_bytes() == before
    assert not list(tmp_path.glob(".*"))
    assert run(tmp_path, discs, resume=True)[-1]["step"] == 6


def test_a_cache_without_room_is_refused_before_it_is_filled(discs, tmp_path):
    with files_of(1 << 16), pytest.raises(DiskFull, match=r"needs 0.0 GB in .*; name another place with --cache"):
        run(tmp_path, discs)


def test_a_folder_that_cannot_be_written_is_named(discs, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BadRun, match="file/run cannot be written: Not a directory"):
        run(tmp_path / "file" / "run", discs)


def test_a_batch_that_does_not_divide_is_refused():
    check_batch(8, 4)
    with pytest.raises(BadRun, match=r"^A batch of 8 does not divide among 3 devices$"):
        check_batch(8, 3)


def test_a_run_of_another_version_is_refused(discs, tmp_path):
    run(tmp_path, discs, machine=Machine("cpu", seconds=0))
    content = json.loads((tmp_path / "run.json").read_text())
    del content["preset"]["network"]
    (tmp_path / "run.json").write_text(json.dumps(content))
    with pytest.raises(BadRun, match="another version of the detector"):
        settings.read(tmp_path)
