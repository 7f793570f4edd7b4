"""An evaluation from the wish to its rows: targets, detections, and what the report says."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone

from detection.data.table import Lesion
from detection.errors import BadRun
from detection.evaluation.assign import assign
from detection.evaluation.matching import CONVENTIONS, match
from detection.evaluation.tables import Truth, read_detections, truth_of
from detection.models import Evaluation, TrainingRun
from detection.services import rows
from detection.services.rows import Fence

State = Evaluation.State


def evaluation_request(
    *,
    run: TrainingRun,
    checkpoint: str = "best",
    split: str = "test",
    convention: str = "deeplesion",
    iou: float = 0.5,
) -> Evaluation:
    """Give the evaluation of these parameters: the one there is, or a new one that waits.

    Raises
    ------
    BadRun : there is no such checkpoint, split or convention, or the overlap makes no sense.
    """
    if checkpoint not in Evaluation.Checkpoint.values:
        raise BadRun(f"there is no checkpoint {checkpoint}; choose best or last")
    if split not in Evaluation.Split.values:
        raise BadRun(f"there is no split {split}; choose one of {', '.join(Evaluation.Split.values)}")
    if convention not in Evaluation.Convention.values:
        raise BadRun(f"there is no convention {convention}; choose deeplesion or strict")
    if not 0 < iou <= 1:
        raise BadRun(f"an overlap of {iou:g} is not above 0 and at most 1")
    made, _ = Evaluation.objects.get_or_create(
        run=run, checkpoint=checkpoint, split=split, convention=convention, iou=iou
    )
    return made


def evaluation_requeue(evaluation: Evaluation) -> None:
    """Let one that failed or was cancelled wait for its next attempt."""
    Evaluation.objects.filter(pk=evaluation.pk, state__in=(State.FAILED, State.CANCELLED)).update(
        state=State.QUEUED, message="", finished=None
    )


def evaluation_begin(evaluation: Evaluation) -> None:
    """Somebody computes it now."""
    Evaluation.objects.filter(pk=evaluation.pk).exclude(state=State.DONE).update(
        state=State.RUNNING, message="", started=evaluation.started or timezone.now(), finished=None, done=0, total=0
    )


def evaluation_progress(evaluation: Evaluation, *, done: int, total: int) -> None:
    """How many images were looked at."""
    Evaluation.objects.filter(pk=evaluation.pk, state=State.RUNNING).update(done=done, total=total)


def evaluation_fail(evaluation: Evaluation, *, message: str) -> None:
    """It ended without a result."""
    Evaluation.objects.filter(pk=evaluation.pk, state=State.RUNNING).update(
        state=State.FAILED, message=message[:500], finished=timezone.now()
    )


def evaluation_abandon(evaluation: Evaluation, *, failed: bool, message: str) -> None:
    """Nobody computes it, and nobody is going to unless asked anew.

    Parameters
    ----------
    failed : no wish of somebody, who cancelled it.
    """
    state = State.FAILED if failed or evaluation.started else State.CANCELLED
    Evaluation.objects.filter(pk=evaluation.pk, state__in=(State.QUEUED, State.RUNNING)).update(
        state=state, message=message[:500], finished=timezone.now()
    )


def evaluation_record(
    evaluation: Evaluation,
    *,
    lesions: list[Lesion],
    detections: Path,
    report: dict[str, Any],
    seconds: float,
    hashes: dict[str, str] | None = None,
    check: Callable[[], None] = lambda: None,
    fence: Fence = transaction.atomic,
) -> Evaluation:
    """Keep every lesion and every detection as rows, then what the report says; an attempt before is replaced.

    Parameters
    ----------
    lesions : those that were looked for, noisy ones left out.
    detections : the CSV that evaluation wrote.
    report : content of report.json.
    seconds : spent in this attempt.
    hashes : SHA-256 of the files that it leaves, by name.
    check : called every some thousand rows; what it raises ends this, and the next attempt begins anew.
    fence : begins every transaction.

    Raises
    ------
    BadTable, EmptySplit
    """
    truth = truth_of(lesions)
    found = read_detections(detections, truth)
    matched = match(truth, found, evaluation.iou, CONVENTIONS[evaluation.convention])
    rows.forget(evaluation, fence)
    targets = rows.write_targets(evaluation, truth, matched.hit_scores, check, fence)
    assigned = assign(truth, found, matched, evaluation.convention)
    rows.write_detections(evaluation, truth, found, targets, assigned, check, fence)
    with fence():
        kept = Evaluation.objects.select_for_update().get(pk=evaluation.pk)
        if kept.state != State.RUNNING:
            return kept
        low, high = report.get("bands", {}).get("average_sensitivity", (None, None))
        kept.state, kept.finished, kept.seconds = State.DONE, timezone.now(), seconds
        kept.images, kept.patients, kept.lesions = report["images"], report["patients"], report["lesions"]
        kept.done = kept.total = report["images"]
        kept.found, kept.device = report["detections"], report.get("device", "")
        kept.average_sensitivity, kept.average_low, kept.average_high = report["average_sensitivity"], low, high
        kept.sensitivity, kept.report = report["sensitivity"], report
        kept.hashes = hashes or {}
        kept.truth_sha256 = fingerprint(truth)
        kept.full_clean()
        kept.save()
    return kept


def fingerprint(truth: Truth) -> str:
    """SHA-256 of file names and boxes (1-based, to a tenth): evaluations with the same one looked for the same."""
    placed = zip(truth.image.tolist(), truth.boxes.tolist(), strict=True)
    lines = sorted(" ".join([truth.names[image], *(f"{edge:.1f}" for edge in box)]) for image, box in placed)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
