"""The training loop, on Lightning Fabric for devices, precision and several processes.

A step depends on the seed, its number and the weights alone, so that a resumed run draws the curve of one that never
stopped.
"""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from detection.data.dataset import Batch, Slices, batches, loader
from detection.disk import writing
from detection.errors import BadRun, NonFiniteLoss
from detection.inference import loaders, tune
from detection.memory import NETWORK, enough_memory
from detection.network.detector import Detector, Losses
from detection.network.sampler import generators
from detection.training import checkpoint
from detection.training.checkpoint import Keeper
from detection.training.journal import Journal, Progress
from detection.training.optimizer import learning_rate, make_optimizer, total_steps
from detection.training.settings import EXACT, Settings
from detection.training.validation import validate

SAVE_SECONDS = 600.0
"""Within an epoch, checkpoints are at least this far apart."""

BATCH_TOO_LARGE = "for this batch; start a new run with a smaller --batch"
"""A run goes on with the batch that it was started with."""

GRADIENT = "gradient_norm"
"""Name of the gradient's length before it is clipped, among a step's values."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a run goes. None of it changes the result but for rounding, unless several processes share a batch and the
    backbone has batch normalisation that is not frozen: each then learns by the statistics of its own images."""

    accelerator: str = "auto"
    devices: int = 1
    workers: int | None = None
    """Loader processes per device; as `inference.loaders` says unless given."""
    seconds: float = float("inf")
    """Stop with a checkpoint after so long."""


def train(
    folder: Path,
    settings: Settings,
    network: Detector,
    data: Slices,
    machine: Machine,
    *,
    resume: bool = False,
    progress: Progress | None = None,
    validation: Slices | None = None,
) -> int:
    """Train a network into a run folder; returns the steps done in all.

    Parameters
    ----------
    validation : looked at every so often; the best network by it is kept beside the last.
    resume : go on from the folder's checkpoint.
    progress : called as it goes on; once where the run was trained to its end before.

    Raises
    ------
    BadRun : the batch does not divide among the devices.
    BadCheckpoint : there is none to resume from, or it is not this run's.
    NonFiniteLoss : training diverged; the message names the images of the batch. What was kept before stays.
    OutOfMemory, DiskFull
    """
    with writing(folder), enough_memory(NETWORK):
        return _train(folder, settings, network, data, machine, resume, progress, validation)


def _train(
    folder: Path, settings: Settings, network: Detector, data: Slices, machine: Machine, resume: bool,
    progress: Progress | None, validation: Slices | None,
) -> int:  # fmt: skip
    config = settings.preset.training
    fabric = _fabric(machine, settings.precision)
    tune(fabric.device, exact=settings.precision == EXACT)
    check_batch(config.batch, fabric.world_size)
    in_order: Any = {"memory_format": torch.channels_last}
    network.to(**in_order)
    bare = make_optimizer(network, config)
    model, optimizer = fabric.setup(network, bare)
    workers = loaders(fabric.device, _devices(machine)) if machine.workers is None else machine.workers
    start, best = 0, -1.0
    if resume:
        content = checkpoint.load(folder, settings.preset)
        checkpoint.restore(network, content, folder / checkpoint.FILE, bare)
        start, best = content["step"], content["best"]
    model.train()
    per_epoch = len(batches(len(data), config.batch, seed=settings.seed, epoch=0))
    total = total_steps(config, per_epoch)
    journal = Journal(folder, start, total, progress) if fabric.is_global_zero else None
    keeper = Keeper(folder, settings.preset, network, bare, steps=total, best=best)
    began = saved = time.monotonic()
    step = start
    if start >= total and fabric.is_global_zero and progress is not None:
        progress(start, total, 0.0, {})
    try:
        for step, batch in _stream(fabric, settings, data, workers, start, per_epoch):
            now = time.monotonic()
            clock = (now - began > machine.seconds, now - saved > SAVE_SECONDS)
            with enough_memory(BATCH_TOO_LARGE):
                shown = batch.to(fabric.device)
                values, (over, due) = _step(fabric, model, optimizer, shown, settings, step, per_epoch, clock)
            _check(fabric, values, batch, data, step)
            looking = step % (config.validate_every or per_epoch) == 0 or step == total
            keeping = step % per_epoch == 0 or looking or over or due
            if keeping:
                _check_weights(fabric, network, batch, data, step)
            if journal is not None:
                if validation is not None and looking:
                    with fabric.autocast():
                        values |= validate(network, validation, fabric.device, workers=workers)
                journal.step(step, values)
            if keeping:
                saved = time.monotonic()
                if journal is not None:
                    # First the lines, so that none is lacking of a step that a resumed run begins after.
                    journal.flush()
                    keeper.keep(step, values)
                fabric.barrier()
            if over:
                break
    finally:
        if journal is not None:
            journal.close()
    return step


def check_batch(batch: int, devices: int) -> None:
    """Refuse a batch that cannot be shared out evenly."""
    if batch % devices:
        raise BadRun(f"A batch of {batch} does not divide among {devices} devices")


def is_first_process() -> bool:
    """Tell whether this process writes the run's files, before there is a Fabric to ask."""
    return os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) == "0"


def _devices(machine: Machine) -> int:
    """Processes on this computer."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", machine.devices))


def processes(machine: Machine) -> int:
    """Under torchrun, the processes there are; else as many as there are devices to be used."""
    return int(os.environ.get("WORLD_SIZE", machine.devices))


def _fabric(machine: Machine, precision: Any) -> Fabric:
    devices = _devices(machine)
    nodes = processes(machine) // devices
    strategy = "ddp" if devices * nodes > 1 else "auto"
    fabric = Fabric(
        accelerator=machine.accelerator, devices=devices, num_nodes=nodes, strategy=strategy, precision=precision
    )
    fabric.launch()
    return fabric


def _stream(
    fabric: Fabric, settings: Settings, data: Slices, workers: int, start: int, per_epoch: int
) -> Iterator[tuple[int, Batch]]:
    """Batches of this process from the step after `start` on, with their numbers; still in the computer's memory."""
    config = settings.preset.training
    total = total_steps(config, per_epoch)
    for epoch in range(start // per_epoch, -(-total // per_epoch)):
        picks = batches(
            len(data), config.batch, seed=settings.seed, epoch=epoch, rank=fabric.global_rank, world=fabric.world_size
        )
        first = max(start - epoch * per_epoch, 0)
        picks = picks[first : total - epoch * per_epoch]
        pin = fabric.device.type == "cuda"
        for place, batch in enumerate(loader(data, picks, workers=workers, pin=pin)):
            yield epoch * per_epoch + first + place + 1, batch


def _step(
    fabric: Fabric, model: nn.Module, optimizer: torch.optim.Optimizer, batch: Batch, settings: Settings, step: int,
    per_epoch: int, clock: Sequence[bool],
) -> tuple[dict[str, float], list[bool]]:  # fmt: skip
    """Learn from a batch; losses of all processes together, and what the first one's clock says, so that all agree."""
    config = settings.preset.training
    rate = learning_rate(config, step, per_epoch)
    for group in optimizer.param_groups:
        group["lr"] = rate
    places = range(fabric.global_rank * len(batch.index), (fabric.global_rank + 1) * len(batch.index))
    losses: Losses = model(batch.hu, batch.boxes, generators(settings.seed, step, places))
    total = losses.total()
    optimizer.zero_grad(set_to_none=True)
    fabric.backward(total)
    norm: Any = fabric.clip_gradients(model, optimizer, max_norm=config.clip_norm, error_if_nonfinite=False)
    told = torch.stack([total, *losses, norm]).detach().float()
    # One exchange a step: what is told and the clock together.
    every = _of_all(fabric, torch.cat([told, told.new_tensor(clock)]))
    # Where one process's is not finite, neither is the mean, and all stop.
    values = [sum(column) / len(every) for column in zip(*every, strict=True)][: len(told)]
    # A finite loss may have a gradient that is not, which clipping would turn into NaN in every weight.
    if all(map(_is_finite, values)):
        optimizer.step()
    names = ("loss", *(f"loss_{name}" for name in losses._fields), GRADIENT)
    agreed = [value > 0 for value in every[0][len(told) :]]
    return {**dict(zip(names, values, strict=True)), "learning_rate": rate}, agreed


def _of_all(fabric: Fabric, values: Tensor) -> list[list[float]]:
    """Values of every process, the first one's first."""
    every: Any = fabric.all_gather(values) if fabric.world_size > 1 else values[None]
    rows: list[list[float]] = every.tolist()
    return rows


def _check(fabric: Fabric, values: dict[str, float], batch: Batch, data: Slices, step: int) -> None:
    """Stop with the images of the step, of all processes, where a loss or its gradient is not finite."""
    wrong = [name for name, value in values.items() if not _is_finite(value)]
    if wrong:
        what = "gradient" if wrong == [GRADIENT] else "loss"
        raise NonFiniteLoss(f"The {what} is not finite at step {step}, {_advice(fabric, batch, data)}")


def _check_weights(fabric: Fabric, network: nn.Module, batch: Batch, data: Slices, step: int) -> None:
    """Stop before weights that are not finite replace those of the last checkpoint."""
    values = [each for each in network.state_dict().values() if each.is_floating_point()]
    if not bool(torch.stack([torch.isfinite(each).all() for each in values]).all()):
        raise NonFiniteLoss(f"The weights are not finite after step {step}, {_advice(fabric, batch, data)}")


def _advice(fabric: Fabric, batch: Batch, data: Slices) -> str:
    every: Any = fabric.all_gather(torch.tensor(batch.index, device=fabric.device))
    names = ", ".join(data.samples[index].file_name for index in every.flatten().tolist())
    return f"in the batch of {names}; start a new run with a lower --learning-rate"


def _is_finite(value: float) -> bool:
    return value - value == 0
