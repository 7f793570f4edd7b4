"""Train a detector on a release, in a program beside the worker; it is evaluated in the test split next."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Literal

from detection.presets import PRESETS
from workers import training
from workers.exported import InUse
from workers.kind import Kind
from workers.models import Job
from workers.params import Params
from workers.run import Run


@dataclass(frozen=True)
class TrainParams(Params):
    """As `detection.services.runs.run_request` takes them; None leaves it to the preset."""

    release: str
    preset: str = "paper"
    seed: int = 0
    fraction: float = 1.0
    weights: str = ""
    backbone: Literal["vgg16", "alexnet", "resnet50", "densenet121"] | None = None
    batch: int | None = None
    epochs: int | None = None
    learning_rate: float | None = None
    precision: Literal["auto", "32-true", "bf16-mixed"] | None = None
    spacing: float | None = None
    flip: bool | None = None
    scale: float | None = None
    z_jitter: float | None = None
    ignore_unannotated: float | None = None

    def mistakes(self) -> Iterator[tuple[str, str]]:
        if self.preset not in PRESETS:
            yield "preset", f"preset must be one of {', '.join(PRESETS)}."
        if not 0 < self.fraction <= 1:
            yield "fraction", "fraction must be above 0 and at most 1."
        if self.weights not in ("", "imagenet", "random"):
            yield "weights", "weights must be imagenet or random."


def train(params: TrainParams, run: Run) -> dict[str, Any]:
    """Train, from the newest checkpoint where there is one."""
    wanted = {name: value for name, value in asdict(params).items() if value is not None}
    progress = partial(run.progress, unit="steps")
    made = training.train(wanted, progress, log=run.log, fence=run.fence, closing=run.closing)
    run.then("evaluate", {"run": made["run"]})
    return made


KIND = Kind("train", "train detector", Job.Queue.GPU, TrainParams, train, attempts=10, transient=(InUse,))
