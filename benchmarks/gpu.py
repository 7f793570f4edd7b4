"""The detector on a GPU, with torch, numpy and Pillow alone and without a network.

`python -m benchmarks.gpu` goes through its stages, or those that are named, and prints one JSON line per result:

- `speed`: milliseconds per image and images per second of both, against torchvision's Faster R-CNN where that loads;
- `paper`, `context`, `torchvision`: train for a fixed budget on a phantom release and score the test split;
- `curve`: the same for the paper's network with 10, 25 and 50 percent of the patients (100 is `paper`).

Release, slice cache and results stay in the folder `--work`: what is in its results.jsonl is not done again, so that a
machine that is lent for minutes at a time gets through all of it. `--reduced` goes the same way on a CPU.

The paper took 34 ms per image on a Titan X Pascal; under 3 ms are the aim on an H100. All networks start from random
weights.
"""

import argparse
import dataclasses
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks import gpu_torchvision as theirs
from datasets.phantom.release import write_release
from detection.data.dataset import Batch, Slices, batches, loader
from detection.data.frame import Frame
from detection.data.release import Release, open_release
from detection.data.table import select
from detection.evaluation.report import report
from detection.evaluation.tables import Detections, truth_of
from detection.inference import detect, prepare, tune
from detection.network.cost import flop, flop_of_learning
from detection.network.detector import Detector
from detection.network.sampler import generators
from detection.presets import CONTEXT, PAPER, TINY, Input, Preset
from detection.training.optimizer import learning_rate, make_optimizer

PEAK = {
    "NVIDIA H100 80GB HBM3": 989e12,
    "NVIDIA H100 NVL": 835e12,
    "NVIDIA H100 PCIe": 756e12,
    "NVIDIA H200": 989e12,
    "NVIDIA A100-SXM4-40GB": 312e12,
    "NVIDIA A100-SXM4-80GB": 312e12,
    "NVIDIA A100-PCIE-40GB": 312e12,
    "NVIDIA A100 80GB PCIe": 312e12,
    "NVIDIA L4": 121e12,
    "NVIDIA GeForce RTX 4090": 165e12,
}
"""Dense bfloat16 operations per second by the whole name of a device, from the makers' data sheets: of one name's
beginning there are slower and faster ones."""
IN_ORDER: dict[str, Any] = {"memory_format": torch.channels_last}
"""A network's maps with the channels last; `Module.to` takes it, but its types do not say so."""
SHARES = (0.1, 0.25, 0.5)
"""Of the training patients, for the learning curve; the whole is its own stage."""
STAGES = ("speed", "paper", "context", "torchvision", "curve")
KEY = ("date", "release", "patients", "network", "what", "batch", "share", "minutes")
"""What tells results apart."""
Work = tuple[Callable[[int], Callable[[], Any]], Callable[[], int]]
"""What makes the work for a batch, and what counts its operations per image."""


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


class Results:
    """Lines that are printed and kept; knows which are there already."""

    def __init__(self, path: Path) -> None:
        self._path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        self._known = {_key(json.loads(line)) for line in lines}

    def has(self, line: dict[str, Any]) -> bool:
        """Tell whether the result that this line begins with is known."""
        return _key(line) in self._known

    def add(self, line: dict[str, Any]) -> None:
        """Print a line and keep it."""
        rounded = {name: round(value, 4) if isinstance(value, float) else value for name, value in line.items()}
        text = json.dumps(rounded)
        print(text, flush=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")
        self._known.add(_key(line))


def _key(line: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(line.get(name) for name in KEY)


def main(arguments: list[str] | None = None) -> None:
    """Measure and print one JSON line per result."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stages", nargs="*", type=_stage, help=f"of {', '.join(STAGES)}; all of them unless named")
    parser.add_argument("--reduced", action="store_true", help="small, on a CPU")
    parser.add_argument("--patients", type=int, default=600, help="of the phantom; 600 have some 3,000 key slices")
    parser.add_argument("--minutes", type=float, default=2.0, help="of each training")
    parser.add_argument("--release", type=Path, help="use this release instead of writing one")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "deeplesion-gpu",
                        help="folder of release, cache and results.jsonl")  # fmt: skip
    options = parser.parse_args(arguments)
    if not (options.reduced or torch.cuda.is_available()):
        parser.error("there is no GPU here that this PyTorch can use; --reduced goes the same way on a CPU")
    plan = _reduced() if options.reduced else _full(options)
    options.work.mkdir(parents=True, exist_ok=True)
    results = Results(options.work / "results.jsonl")
    name = torch.cuda.get_device_name() if plan.device.type == "cuda" else "CPU"
    results.add({"date": datetime.now(UTC).isoformat(timespec="seconds"), "device": name, "torch": torch.__version__,
                 "torchvision": theirs.version()})  # fmt: skip
    stages = options.stages or STAGES
    if "speed" in stages:
        speed(plan, name, results)
    trained = [stage for stage in stages if stage != "speed"]
    if not trained:
        return
    place = options.release or options.work / f"phantom-{plan.patients}-{plan.size}"
    if not place.is_dir():
        write_release(
            place, patients=plan.patients, seed=1, size=plan.size, context_mm=10.0, processes=plan.workers or 1
        )
    release = open_release(place)
    results.add({**_of(release), "key_slices": len(release.samples("all"))})
    for stage in trained:
        learning(stage, plan, release, options.work / "cache", results)


def _stage(text: str) -> str:
    if text not in STAGES:
        raise argparse.ArgumentTypeError(f"{text} is none of {', '.join(STAGES)}")
    return text


def _full(options: argparse.Namespace) -> Plan:
    workers = max((os.cpu_count() or 2) - 2, 1)
    device = torch.device("cuda")
    tune(device)
    return Plan(device, PAPER, CONTEXT, (1, 8, 32), 30, options.minutes, options.patients, 512, workers)


def _reduced() -> Plan:
    """The tiny network in the place of the paper's, and of it with nine slices."""
    small = dataclasses.replace(TINY, input=dataclasses.replace(TINY.input, size=64))
    context = dataclasses.replace(small, name="tiny-context", input=dataclasses.replace(small.input, groups=3))
    return Plan(torch.device("cpu"), small, context, (1, 2), 1, 0.005, 7, 64, 0)


def speed(plan: Plan, device_name: str, results: Results) -> None:
    """Milliseconds per image, images per second, share of the device's peak, ours and theirs."""
    peak = PEAK.get(device_name)
    size = plan.paper.input.size
    networks: list[tuple[str, Work, Work]] = [
        (
            preset.name,
            (partial(_detecting, plan, preset), partial(flop, preset)),
            (partial(_training, plan, preset), partial(flop_of_learning, preset)),
        )
        for preset in (plan.paper, plan.context)
    ]
    if theirs.available():
        detects = partial(theirs.detecting, plan.device, size), partial(theirs.flop, size)
        learns = partial(theirs.training, plan.device, size), partial(theirs.flop_of_learning, size)
        networks.append((theirs.NAME, detects, learns))
    for name, inference, training in networks:
        for what, (make, cost), sizes in (
            ("inference", inference, plan.batches),
            ("training", training, plan.batches[1:]),
        ):
            for batch in sizes:
                line: dict[str, Any] = {"network": name, "what": what, "batch": batch}
                if results.has(line):
                    continue
                try:
                    seconds = _time(plan, make(batch))
                except torch.OutOfMemoryError:
                    results.add(line | {"skipped": "the device's memory is too small"})
                    continue
                line |= {"ms_per_image": 1000 * seconds / batch, "images_per_second": batch / seconds}
                if peak:
                    line["share_of_bf16_peak"] = cost() * batch / seconds / peak
                results.add(line)


def learning(stage: str, plan: Plan, release: Release, cache: Path, results: Results) -> None:
    """FROC on the test split after the budget."""
    if stage == "torchvision":
        _learn_theirs(plan, release, cache, results)
        return
    shares = SHARES if stage == "curve" else (1.0,)
    preset = plan.context if stage == "context" else plan.paper
    for share in shares:
        line = {"network": preset.name, "what": "froc", "share": share, "minutes": plan.minutes, **_of(release)}
        if results.has(line):
            continue
        torch.manual_seed(0)
        network = Detector(preset).to(plan.device, **IN_ORDER)
        steps = fit(plan, network, _filled(plan, _data(release, "train", preset.input, cache, share)))
        results.add(line | {"steps": steps, **score(plan, network, release, cache)})


def _of(release: Release) -> dict[str, Any]:
    """What tells one release from another, by whose results nothing is known of this one's."""
    return {"release": release.name, "patients": len({lesion.patient for lesion in release.lesions})}


def _learn_theirs(plan: Plan, release: Release, cache: Path, results: Results) -> None:
    line = {"network": theirs.NAME, "what": "froc", "share": 1.0, "minutes": plan.minutes, **_of(release)}
    if results.has(line):
        return
    if not theirs.available():
        results.add(line | {"skipped": "torchvision does not load here"})
        return
    torch.manual_seed(0)
    network = theirs.network(plan.device, plan.paper.input.size)
    data = _filled(plan, _data(release, "train", plan.paper.input, cache, 1.0))
    steps = theirs.fit(network, _stream(plan, data), plan.minutes * 60)
    wrapped = theirs.Wrapped(network)
    results.add(line | {"steps": steps, **score(plan, wrapped, release, cache, plan.paper)})


def fit(plan: Plan, network: Detector, data: Slices) -> int:
    """Train for the budget, the rate falling to a tenth after three quarters of it; returns the steps done."""
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


def _filled(plan: Plan, data: Slices) -> Slices:
    """Decode every slice before the clock runs, so that who comes first is not the slowest."""
    for _ in loader(data, batches(len(data), 8, seed=0, epoch=0), workers=plan.workers):
        pass
    return data


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


def _detecting(plan: Plan, preset: Preset, batch: int) -> Callable[[], Any]:
    network = prepare(Detector(preset), plan.device, fast=plan.device.type == "cuda")
    hu = _noise(plan, preset, batch)

    def work() -> None:
        with torch.inference_mode():
            network(hu)

    return work


def _training(plan: Plan, preset: Preset, batch: int) -> Callable[[], Any]:
    network = Detector(preset).to(plan.device, **IN_ORDER).train()
    optimizer = make_optimizer(network, dataclasses.replace(preset.training, learning_rate=1e-6))
    lesion = torch.tensor([[16.0, 16.0, 40.0, 40.0]], device=plan.device)
    made = Batch(_noise(plan, preset, batch), [lesion] * batch, list(range(batch)), [Frame(1.0, 1.0)] * batch)
    return lambda: _learn(network, optimizer, made, 1)


def _noise(plan: Plan, preset: Preset, batch: int) -> torch.Tensor:
    shape = (batch, preset.input.channels, preset.input.size, preset.input.size)
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


if __name__ == "__main__":
    main()
