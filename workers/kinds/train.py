"""Train a detector on a release, in a program beside the worker; it is evaluated in the test split next."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Annotated, Any, Literal

from detection.presets import PRESETS
from workers import training
from workers.exported import InUse
from workers.kind import Kind
from workers.models import Job
from workers.params import Params, ReleaseName, Seed, Within
from workers.run import Run


@dataclass(frozen=True)
class TrainParams(Params):
    """As `detection.services.runs.run_request` takes them; None leaves it to the preset."""

    release: ReleaseName
    preset: str = "paper"
    seed: Seed = 0
    fraction: Annotated[float, Within(0, 1, above=True)] = 1.0
    weights: str = ""
    backbone: Literal["vgg16", "alexnet", "resnet50", "densenet121"] | None = None
    batch: Annotated[int | None, Within(1, 4096)] = None
    epochs: Annotated[int | None, Within(1, 10_000)] = None
    learning_rate: Annotated[float | None, Within(0, 10, above=True)] = None
    precision: Literal["auto", "32-true", "bf16-mixed"] | None = None
    spacing: Annotated[float | None, Within(0, 100, above=True)] = None
    flip: bool | None = None
    scale: Annotated[float | None, Within(0, 0.99)] = None
    z_jitter: Annotated[float | None, Within(0, 100)] = None
    ignore_unannotated: Annotated[float | None, Within(0, 1)] = None

    def mistakes(self) -> Iterator[tuple[str, str]]:
        if self.preset not in PRESETS:
            yield "preset", f"preset must be one of {', '.join(PRESETS)}."
        if self.weights not in ("", "imagenet", "random"):
            yield "weights", "weights must be imagenet or random."


def train(params: TrainParams, run: Run) -> dict[str, Any]:
    """Train, from the newest checkpoint where there is one."""
    progress = partial(run.progress, unit="steps")
    made = training.train(_wanted(params), progress, log=run.log, fence=run.fence, closing=run.closing)
    run.then("evaluate", {"run": made["run"]})
    return made


def ended(params: TrainParams, others: list[TrainParams], state: Job.State, message: str) -> None:
    """The job is over without success: its run says so."""
    training.abandon(_wanted(params), [*map(_wanted, others)], failed=state == Job.State.FAILED, message=message)


def again(params: TrainParams) -> None:
    """The job waits once more: so does its run."""
    training.wait_again(_wanted(params))


def _wanted(params: TrainParams) -> dict[str, Any]:
    return {name: value for name, value in asdict(params).items() if value is not None}


KIND = Kind(
    "train",
    "train detector",
    Job.Queue.GPU,
    TrainParams,
    train,
    attempts=10,
    transient=(InUse,),
    ended=ended,
    again=again,
)
