"""Evaluate a trained run: detections and report as files, then as rows."""

import json
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from datasets.services.errors import Refused
from detection.data.release import open_release
from detection.data.table import select
from detection.errors import BadRun, DetectorError
from detection.evaluation.matching import CONVENTIONS
from detection.evaluation.report import report
from detection.evaluation.tables import read_detections, truth_of
from detection.models import Evaluation, TrainingRun
from detection.services import evaluations
from detection.training.settings import replace
from workers.exported import alone_in, exported
from workers.training import Fence, Progress

DETECTIONS, REPORT = "detections.csv", "report.json"


def request(params: dict[str, Any]) -> Evaluation:
    """Give the evaluation that a job of these parameters computes; a failed one waits again.

    Parameters
    ----------
    params : `run`, and what `evaluations.evaluation_request` takes.

    Raises
    ------
    DetectorError : there is no such run, it is not trained, or a value makes no sense.
    """
    run = TrainingRun.objects.filter(pk=params["run"]).first()
    if run is None:
        raise BadRun(f"there is no run {params['run']}")
    if run.state != TrainingRun.State.TRAINED:
        raise BadRun(f"run {run.pk} is {run.get_state_display()}; it can be evaluated once it is trained")
    evaluation = evaluations.evaluation_request(
        **{**{name: value for name, value in params.items() if name != "run"}, "run": run}
    )
    evaluations.evaluation_requeue(evaluation)
    evaluation.refresh_from_db()
    return evaluation


def evaluate(
    params: dict[str, Any],
    progress: Progress,
    *,
    fence: Fence = transaction.atomic,
    closing: Fence = transaction.atomic,
) -> dict[str, Any]:
    """Detect, score, and keep it all; nothing where that is done.

    Parameters
    ----------
    progress : called with images done and in all; what it raises stops the evaluation.
    fence : begins the transactions in which the evaluation's row is written.
    closing : begins the one in which it is written that it ends without a result.

    Raises
    ------
    Refused, DetectorError : the evaluation says why, too.
    """
    evaluation = request(params)
    if evaluation.state == Evaluation.State.DONE:
        return result(evaluation)
    folder = Path(settings.DATA_DIR) / evaluation.folder
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder / ".lock"):
        with fence():
            evaluations.evaluation_begin(evaluation)
        try:
            evaluation = _evaluate(evaluation, folder, progress)
        except BaseException as error:
            own = isinstance(error, Refused | DetectorError)
            with closing():
                evaluations.evaluation_fail(
                    evaluation, message=str(error) if own else "It was stopped; start it again."
                )
            raise
    return result(evaluation)


def result(evaluation: Evaluation) -> dict[str, Any]:
    """What the job says of a finished evaluation."""
    return {
        "run": evaluation.run_id,
        "evaluation": evaluation.pk,
        "images": evaluation.images,
        "lesions": evaluation.lesions,
        "average_sensitivity": evaluation.average_sensitivity,
        "sensitivity": evaluation.sensitivity,
    }


def _evaluate(evaluation: Evaluation, folder: Path, progress: Progress) -> Evaluation:
    run, began = evaluation.run, time.monotonic()
    release = open_release(exported(run.release, progress))
    if release.sha256 != run.release_sha256:
        raise BadRun(f"run {run.pk} was trained on another {run.release} than the one that is here now")
    content = _detected(evaluation, folder) or _detect(evaluation, release.folder, folder, progress)
    lesions = select(release.lesions, evaluation.split)
    truth = truth_of(lesions)
    scored = report(
        truth,
        read_detections(folder / DETECTIONS, truth),
        iou=evaluation.iou,
        convention=CONVENTIONS[evaluation.convention],
    )
    content |= scored
    replace(folder / REPORT, json.dumps(content, indent=1) + "\n")
    return evaluations.evaluation_record(
        evaluation,
        lesions=lesions,
        detections=folder / DETECTIONS,
        report=content,
        seconds=time.monotonic() - began,
    )


def _detected(evaluation: Evaluation, folder: Path) -> dict[str, Any]:
    """Take over the checkpoint's detections in the split, which another way of scoring leaves as they are."""
    others = Evaluation.objects.filter(
        run=evaluation.run_id, checkpoint=evaluation.checkpoint, split=evaluation.split, state=Evaluation.State.DONE
    ).order_by("id")
    for other in others:
        with suppress(OSError):
            shutil.copyfile(Path(settings.DATA_DIR) / other.folder / DETECTIONS, folder / DETECTIONS)
            return {name: value for name, value in other.report.items() if name in ("run", "device", "precision")}
    return {}


def _detect(evaluation: Evaluation, release: Path, folder: Path, progress: Progress) -> dict[str, Any]:
    # Torch is large: a worker that never detects never loads it.
    from detection import evaluate as detector
    from detection.inference import BATCH, pick_device
    from detection.training.checkpoint import CHECKPOINTS

    def tell(done: int, total: int) -> None:
        progress(done, total)
        if done % 8 == 0 or done == total:
            evaluations.evaluation_progress(evaluation, done=done, total=total)

    run = Path(settings.DATA_DIR) / evaluation.run.folder
    # A processor takes seconds for an image: whoever cancels does not wait for a whole batch.
    batch = 1 if pick_device("auto").type == "cpu" else BATCH
    return detector.evaluate(
        run, release, split=evaluation.split, out=folder, which=CHECKPOINTS[evaluation.checkpoint], batch=batch,
        count=0, repeats=0, progress=tell,
    )  # fmt: skip
