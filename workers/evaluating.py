"""Evaluate a trained run: detections and report as files, then as rows."""

import json
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from datasets import manifest
from datasets.services.errors import Refused
from detection.data.release import open_release
from detection.data.table import select
from detection.errors import BadRun, DetectorError
from detection.models import Evaluation, TrainingRun
from detection.services import evaluations
from detection.services.rows import Fence
from detection.training.settings import replace
from workers import devices, hashes, programs
from workers.exported import alone_in, exported
from workers.glance import for_the_eye
from workers.training import Progress

DETECTIONS, REPORT, SCORED = "detections.csv", "report.json", "scored.json"
KEPT = (DETECTIONS, REPORT, programs.LOG)
"""What stays of an evaluation."""
FACTS = ("run", "device", "precision")
"""What a report says of how the detections were made."""


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


def abandon(params: dict[str, Any], *, failed: bool, message: str) -> None:
    """The evaluation of these parameters says that its job ended, where that is news.

    Parameters
    ----------
    params : all that `request` takes.
    message : why; what a person reads who cancelled it, where it is empty.
    """
    evaluation = Evaluation.objects.filter(**params).first()
    if evaluation is not None:
        begun = "It was stopped; start it again."
        evaluations.evaluation_abandon(
            evaluation,
            failed=failed,
            message=message or (begun if evaluation.started else "It was cancelled before it began."),
        )


def wait_again(params: dict[str, Any]) -> None:
    """The evaluation of these parameters, where there is one, waits for its next attempt; `params` as in `abandon`."""
    evaluation = Evaluation.objects.filter(**params).first()
    if evaluation is not None:
        evaluations.evaluation_requeue(evaluation)


def evaluate(
    params: dict[str, Any],
    progress: Progress,
    *,
    log: Callable[[str], None] = lambda text: None,
    fence: Fence = transaction.atomic,
    closing: Fence = transaction.atomic,
) -> dict[str, Any]:
    """Detect, score, and keep it all; nothing where that is done.

    Parameters
    ----------
    progress : called with images done and in all; what it raises stops the evaluation.
    log : called with the end of a program's output where it gave up.
    fence : begins the transactions in which the evaluation and its rows are written.
    closing : begins the one in which it is written that it ends without a result.

    Raises
    ------
    Refused, DetectorError : the evaluation says why, too.
    """
    with fence():
        evaluation = request(params)
    if evaluation.state == Evaluation.State.DONE:
        return result(evaluation)
    folder = Path(settings.DATA_DIR) / evaluation.folder
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder / ".lock"):
        with fence():
            evaluations.evaluation_begin(evaluation)
        try:
            evaluation = _evaluate(evaluation, folder, progress, log, fence)
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


def _evaluate(
    evaluation: Evaluation, folder: Path, progress: Progress, log: Callable[[str], None], fence: Fence
) -> Evaluation:
    run, began = evaluation.run, time.monotonic()
    release = open_release(exported(run.release, progress))
    if release.sha256 != run.release_sha256:
        raise BadRun(f"run {run.pk} was trained on another {run.release} than the one that is here now")
    watch = partial(programs.run, folder=folder, tick=partial(_tell, evaluation, progress, fence), log=log)
    facts = _detected(evaluation, folder, log)
    if not facts:
        machine = devices.here(lambda: progress(evaluation.done, evaluation.total))
        watch(detecting(evaluation, release.folder, folder, gpus=len(machine.gpus)))
        facts = _facts(programs.read(folder / REPORT))
    watch(scoring(evaluation, release.folder, folder))
    content = facts | programs.read(folder / SCORED)
    replace(folder / REPORT, json.dumps(content, indent=1) + "\n")
    (folder / SCORED).unlink()
    return evaluations.evaluation_record(
        evaluation,
        lesions=select(release.lesions, evaluation.split),
        detections=folder / DETECTIONS,
        report=content,
        seconds=time.monotonic() - began,
        hashes=hashes.of_those(folder, KEPT),
        check=lambda: progress(content["images"], content["images"]),
        fence=fence,
    )


def detecting(evaluation: Evaluation, release: Path, folder: Path, *, gpus: int) -> list[str]:
    """The module that finds lesions, with its arguments; on a processor, whose memory is smaller, image by image."""
    run = Path(settings.DATA_DIR) / evaluation.run.folder
    return [
        "detection.evaluate", str(run), str(release), "--split", evaluation.split, "--out", str(folder),
        "--checkpoint", evaluation.checkpoint, "--pictures", "0", "--bootstrap", "0",
        *([] if gpus else ["--batch", "1"]),
    ]  # fmt: skip


def scoring(evaluation: Evaluation, release: Path, folder: Path) -> list[str]:
    """The module that counts what was found, with its arguments."""
    return [
        "detection.evaluation.froc", "--truth", str(release / manifest.TABLE),
        "--detections", str(folder / DETECTIONS), "--split", evaluation.split, "--iou", repr(evaluation.iou),
        "--convention", evaluation.convention, "--out", str(folder / SCORED),
    ]  # fmt: skip


def _detected(evaluation: Evaluation, folder: Path, log: Callable[[str], None]) -> dict[str, Any]:
    """Take over the checkpoint's detections in the split, which another way of scoring leaves as they are.

    Those whose file is not what was found then, or of which nobody can tell, are not taken.
    """
    others = Evaluation.objects.filter(
        run=evaluation.run_id, checkpoint=evaluation.checkpoint, split=evaluation.split, state=Evaluation.State.DONE
    ).order_by("id")
    for other in others:
        with suppress(OSError):
            shutil.copyfile(Path(settings.DATA_DIR) / other.folder / DETECTIONS, folder / DETECTIONS)
            if hashes.of(folder / DETECTIONS) == other.hashes.get(DETECTIONS):
                return _facts(other.report)
            (folder / DETECTIONS).unlink()
            damaged = DETECTIONS in other.hashes
            why = "is damaged" if damaged else "was made before hashes were kept"
            log(f"{DETECTIONS} of evaluation {other.pk} {why}: it is not taken over")
    return {}


def _facts(content: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name in FACTS}


def _tell(evaluation: Evaluation, progress: Progress, fence: Fence, state: dict[str, Any]) -> None:
    """Pass on what the program says of the images; what it scores afterwards takes seconds."""
    done, total = state.get("done", evaluation.done), state.get("total", evaluation.total)
    progress(done, total)
    if done != evaluation.done:
        with for_the_eye(), fence():
            evaluations.evaluation_progress(evaluation, done=done, total=total)
            evaluation.done, evaluation.total = done, total
