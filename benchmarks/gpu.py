"""The detector on a GPU, with torch, numpy and Pillow alone and without a network.

`python -m benchmarks.gpu` writes a phantom release, measures milliseconds per image and images per second against
torchvision's Faster R-CNN where that is installed, trains the paper's and the context network and torchvision's for a
fixed budget, and prints their FROC and the learning curve as JSON lines. `--reduced` goes the same way on a CPU.
"""

import argparse
import dataclasses
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from benchmarks import gpu_torchvision as theirs
from datasets.phantom.release import write_release
from detection.data.dataset import Batch, Slices, batches, loader
from detection.data.release import Release, open_release
from detection.data.table import select
from detection.evaluation.report import report
from detection.evaluation.tables import Detections, truth_of
from detection.inference import detect, prepare
from detection.network.cost import flop
from detection.network.detector import Detector
from detection.network.sampler import generators
from detection.presets import CONTEXT, PAPER, TINY, Input, Preset
from detection.training.optimizer import learning_rate, make_optimizer

PEAK = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "L4": 121e12, "RTX 4090": 165e12}
"""Dense bfloat16 operations per second, from the makers' data sheets."""
SHARES = (0.1, 0.25, 0.5, 1.0)
"""Of the training patients, for the learning curve."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """How much is measured."""

    device: torch.device
    paper: Preset
    context: Preset
    batches: tuple[int, ...]
    repeats: int
    minutes: float
    """Of each training."""
    patients: int
    size: int
    workers: int


def main(arguments: list[str] | None = None) -> None:
    """Measure and print one JSON line per result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu")
    parser.add_argument("--reduced", action="store_true", help="small, on a CPU")
    parser.add_argument("--patients", type=int, default=600, help="of the phantom; 600 have some 3,000 key slices")
    parser.add_argument("--minutes", type=float, default=2.0, help="of each training")
    parser.add_argument("--release", type=Path, help="use this release instead of writing one")
    parser.add_argument("--only", choices=["speed", "training"], help="one half of it")
    options = parser.parse_args(arguments)
    plan = _reduced() if options.reduced else _full(options)
    name = torch.cuda.get_device_name() if plan.device.type == "cuda" else "CPU"
    _print({"date": datetime.now(UTC).isoformat(timespec="seconds"), "device": name, "torch": torch.__version__})
    if options.only != "training":
        for line in speed(plan, name):
            _print(line)
    if options.only == "speed":
        return
    with tempfile.TemporaryDirectory() as folder:
        place = options.release or Path(folder) / "release"
        if options.release is None:
            write_release(
                place, patients=plan.patients, seed=1, size=plan.size, context_mm=10.0, processes=plan.workers or 1
            )
        for line in learning(plan, open_release(place), Path(folder) / "cache"):
            _print(line)


def _full(options: argparse.Namespace) -> Plan:
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    workers = max((os.cpu_count() or 2) - 2, 1)
    device = torch.device("cuda")
    return Plan(device, PAPER, CONTEXT, (1, 8, 32), 30, options.minutes, options.patients, 512, workers)


def _reduced() -> Plan:
    """The tiny network in the place of the paper's, and of it with nine slices."""
    small = dataclasses.replace(TINY, input=dataclasses.replace(TINY.input, size=64))
    context = dataclasses.replace(small, name="tiny-context", input=dataclasses.replace(small.input, groups=3))
    return Plan(torch.device("cpu"), small, context, (1, 2), 1, 0.005, 7, 64, 0)


def speed(plan: Plan, device_name: str) -> Iterator[dict[str, Any]]:
    """Milliseconds per image, images per second, share of the device's peak, ours and theirs."""
    peak = next((value for key, value in PEAK.items() if key in device_name), None)
    cost = flop(plan.paper)
    ours: list[tuple[str, Callable[[int], Callable[[], Any]], Callable[[int], Callable[[], Any]]]] = [
        (plan.paper.name, lambda batch: _detecting(plan, batch), lambda batch: _training(plan, batch))
    ]
    if theirs.available():
        size = plan.paper.input.size
        ours.append((
            theirs.NAME,
            lambda batch: theirs.detecting(plan.device, size, batch),
            lambda batch: theirs.training(plan.device, size, batch),
        ))  # fmt: skip
    for name, detecting, training in ours:
        for batch in plan.batches:
            seconds = _time(plan, detecting(batch))
            line = {"network": name, "what": "inference", "batch": batch, "ms_per_image": 1000 * seconds / batch}
            if peak and name == plan.paper.name:
                line["share_of_bf16_peak"] = cost * batch / seconds / peak
            yield line | {"images_per_second": batch / seconds}
        for batch in plan.batches[1:]:
            yield {"network": name, "what": "training", "batch": batch,
                   "images_per_second": batch / _time(plan, training(batch))}  # fmt: skip


def learning(plan: Plan, release: Release, cache: Path) -> Iterator[dict[str, Any]]:
    """FROC on the test split after the budget: the context network, torchvision's, ours by share of patients."""
    samples = release.samples("all")
    yield {"release": release.name, "key_slices": len(samples)}
    jobs = [(plan.context, 1.0), *((plan.paper, share) for share in SHARES)]
    for preset, share in jobs:
        network = Detector(preset).to(plan.device, memory_format=torch.channels_last)
        steps = fit(plan, network, _data(release, "train", preset.input, cache, share))
        yield {"network": preset.name, "share": share, "steps": steps, **score(plan, network, release, cache)}
    if theirs.available():
        data = _data(release, "train", plan.paper.input, cache, 1.0)
        other = theirs.network(plan.device, plan.paper.input.size)
        steps = theirs.fit(other, _stream(plan, data), plan.minutes * 60)
        wrapped = theirs.Wrapped(other)
        yield {
            "network": theirs.NAME,
            "share": 1.0,
            "steps": steps,
            **score(plan, wrapped, release, cache, plan.paper),
        }


def fit(plan: Plan, network: Detector, data: Slices) -> int:
    """Train for the budget, the rate falling to a tenth after three quarters of it; returns the steps done."""
    torch.manual_seed(0)
    config = dataclasses.replace(network.preset.training, warmup=50, steps=0, drop_after=1, epochs=1)
    optimizer = make_optimizer(network, config)
    network.train()
    start, step = time.monotonic(), 0
    for step, batch in enumerate(_stream(plan, data), start=1):
        spent = (time.monotonic() - start) / (plan.minutes * 60)
        if spent >= 1:
            break
        rate = learning_rate(config, step, 1 << 30) * (1.0 if spent < 0.75 else 0.1)
        for group in optimizer.param_groups:
            group["lr"] = rate
        _learn(network, optimizer, batch, step)
    return step


def score(plan: Plan, network: Any, release: Release, cache: Path, preset: Preset | None = None) -> dict[str, Any]:
    """Sensitivities on the test split."""
    config = (preset or network.preset).input
    data = _data(release, "test", config, cache, 1.0)
    truth = truth_of(select(release.lesions, "test"))
    if isinstance(network, Detector):
        network = prepare(network, plan.device, fast=plan.device.type == "cuda")
    images, boxes = [], []
    for index, found in detect(network, data, device=plan.device, workers=plan.workers):
        images += [index] * len(found)
        boxes.append(torch.from_numpy(found))
    table = torch.cat(boxes).numpy()
    detections = Detections(torch.tensor(images, dtype=torch.int64).numpy(), table[:, :4] + 1, table[:, 4])
    content = report(truth, detections, repeats=0)
    return {name: content[name] for name in ("images", "sensitivity", "average_sensitivity")}


def _data(release: Release, split: str, config: Input, cache: Path, share: float) -> Slices:
    return Slices(release, release.samples(split, fraction=share), config, cache=cache)


def _stream(plan: Plan, data: Slices) -> Iterator[Batch]:
    """Batches of eight without end."""
    epoch = 0
    while True:
        picks = batches(len(data), 8, seed=0, epoch=epoch)
        for batch in loader(data, picks, workers=plan.workers, pin=plan.device.type == "cuda"):
            yield batch.to(plan.device)
        epoch += 1


def _learn(network: Detector, optimizer: torch.optim.Optimizer, batch: Batch, step: int) -> None:
    with torch.autocast(batch.hu.device.type, torch.bfloat16, enabled=batch.hu.is_cuda):
        losses = network(batch.hu, batch.boxes, generators(0, step, batch.index))
    optimizer.zero_grad(set_to_none=True)
    losses.total().backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), network.preset.training.clip_norm)
    optimizer.step()


def _detecting(plan: Plan, batch: int) -> Callable[[], Any]:
    network = prepare(Detector(plan.paper), plan.device, fast=plan.device.type == "cuda")
    hu = _noise(plan, batch)

    def work() -> None:
        with torch.inference_mode():
            network(hu)

    return work


def _training(plan: Plan, batch: int) -> Callable[[], Any]:
    network = Detector(plan.paper).to(plan.device, memory_format=torch.channels_last).train()
    optimizer = make_optimizer(network, dataclasses.replace(plan.paper.training, learning_rate=1e-6))
    lesion = torch.tensor([[16.0, 16.0, 40.0, 40.0]], device=plan.device)
    made = Batch(_noise(plan, batch), [lesion] * batch, list(range(batch)))
    return lambda: _learn(network, optimizer, made, 1)


def _noise(plan: Plan, batch: int) -> torch.Tensor:
    shape = (batch, plan.paper.input.channels, plan.paper.input.size, plan.paper.input.size)
    return torch.randint(-1000, 1000, shape, dtype=torch.int16, device=plan.device)


def _time(plan: Plan, work: Callable[[], Any]) -> float:
    """Seconds of one call, the mean of some after some to warm up."""
    for _ in range(max(plan.repeats // 3, 1)):
        work()
    _wait(plan.device)
    start = time.perf_counter()
    for _ in range(plan.repeats):
        work()
    _wait(plan.device)
    return (time.perf_counter() - start) / plan.repeats


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def _print(line: dict[str, Any]) -> None:
    rounded = {name: round(value, 4) if isinstance(value, float) else value for name, value in line.items()}
    print(json.dumps(rounded), flush=True)


if __name__ == "__main__":
    main()
