"""Evaluate a trained detector: its detections in a split, and how many lesions they find."""

from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from typing import Annotated, Any, Literal

from detection.errors import DetectorError
from workers import evaluating
from workers.exported import InUse
from workers.kind import Kind
from workers.models import Job
from workers.params import LARGEST, Params, Within
from workers.run import Run


@dataclass(frozen=True)
class EvaluateParams(Params):
    run: Annotated[int, Within(1, LARGEST)]
    """Number of a trained run."""
    checkpoint: Literal["best", "last"] = "best"
    """Best in the validation split, or last."""
    split: Literal["train", "val", "test", "all"] = "test"
    convention: Literal["deeplesion", "strict"] = "deeplesion"
    iou: Annotated[float, Within(0, 1, above=True)] = 0.5


def evaluate(params: EvaluateParams, run: Run) -> dict[str, Any]:
    """Detect, score, and keep it all."""
    progress = partial(run.progress, unit="images")
    return evaluating.evaluate(asdict(params), progress, log=run.log, fence=run.fence, closing=run.closing)


def asked(params: EvaluateParams) -> None:
    """A job is queued: its evaluation waits; where the run cannot be evaluated, the job itself will say so."""
    with suppress(DetectorError):
        evaluating.request(asdict(params))


def ended(params: EvaluateParams, others: list[EvaluateParams], state: Job.State, message: str) -> None:
    """The job is over without success: its evaluation says so, unless another job computes it."""
    if params not in others:
        evaluating.abandon(asdict(params), failed=state == Job.State.FAILED, message=message)


def again(params: EvaluateParams) -> None:
    """The job waits once more: so does its evaluation."""
    evaluating.wait_again(asdict(params))


KIND = Kind(
    "evaluate",
    "evaluate detector",
    Job.Queue.GPU,
    EvaluateParams,
    evaluate,
    transient=(InUse,),
    asked=asked,
    ended=ended,
    again=again,
)
