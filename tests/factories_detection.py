"""Rows of runs and evaluations, with reports that have the shape of real ones."""

from itertools import count
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from detection.evaluation.curve import POINTS
from detection.evaluation.strata import THRESHOLDS, size_labels
from detection.models import Detection, Evaluation, Target, TrainingRun

_next = count(1).__next__


def make_run(**values: Any) -> TrainingRun:
    """A run whose times, checkpoint and losses follow its state."""
    state = values.get("state", TrainingRun.State.QUEUED)
    now = timezone.now()
    begun = state not in (TrainingRun.State.QUEUED, TrainingRun.State.CANCELLED)
    steps = list(range(10, 101, 10))
    defaults = {
        "release": "first-1.0",
        "preset": "tiny",
        "start_weights": "random",
        "fingerprint": f"{_next():064d}",
        "started": now if begun else None,
        "finished": now if state in ("trained", "stopped", "failed", "cancelled") else None,
    }
    if begun:
        losses = [round(1 / step, 4) for step in steps]
        names = ("loss", "loss_rpn_class", "loss_rpn_box", "loss_head_class", "loss_head_box")
        defaults |= {
            "step": 100,
            "steps": 200,
            "curve": {
                "train": {"step": steps, **dict.fromkeys(names, losses)},
                "val": {"step": [50, 100], "loss": [0.4, 0.3], "sensitivity": [0.5, 0.6]},
            },
            "device": "CPU, 2 threads",
            "torch_version": "2.0",
        }
    if state == "trained":
        defaults |= {
            "step": 200,
            "release_sha256": "a" * 64,
            "checkpoint": "runs/1/checkpoint.pt",
            "weights": "random",
            "seconds": 93.0,
        }
    return TrainingRun.objects.create(**{**defaults, **values})


def make_report(level: float = 0.5) -> dict[str, Any]:
    """What report.json says; sensitivity rises from `level`."""
    at = {f"{point:g}": round(min(1.0, level + 0.05 * place), 3) for place, point in enumerate(POINTS)}
    one = {"sensitivity": at, "average_sensitivity": round(level + 0.1, 3)}
    bands = {
        "sensitivity": {point: [max(0.0, value - 0.1), min(1.0, value + 0.1)] for point, value in at.items()},
        "average_sensitivity": [level, min(1.0, level + 0.2)],
    }
    steps = {"false_positives": [0.5, 2.1, 2.1, 16], "sensitivity": [level, level, level + 0.2, level + 0.2]}
    banded = {"lesions": 3, "patients": 2, **one, "bands": bands, "curve": steps}
    single = {"lesions": 1, "patients": 1, **one, "curve": steps}
    return {
        "convention": "deeplesion",
        "iou": 0.5,
        "interpolation": "lowest",
        "images": 2,
        "patients": 2,
        "lesions": 2,
        "detections": 4,
        **one,
        "bands": bands,
        "bootstrap": {
            "repeats": 1000,
            "seed": 0,
            "unit": "patient",
            "level": 0.95,
            "average_sensitivity": [level + 0.0002 * draw for draw in range(1000)],
        },
        "by_type": {"liver": banded, "lung": single},
        "by_size": {size_labels()[0]: single, size_labels()[-1]: banded},
        "by_iou": {f"{iou:g}": {**one, "bands": bands} for iou in THRESHOLDS},
        "curve": {
            "false_positives": [0.1, 0.5, 2, 8],
            "sensitivity": [0.2, 0.5, 0.6, 0.7],
            "score": [0.9, 0.7, 0.4, 0.1],
        },
        "precision": "float32",
        "device": "cpu",
    }


def make_evaluation(*, targets: bool = True, **values: Any) -> Evaluation:
    """A finished evaluation of two images, unless `values` says otherwise."""
    run = values.pop("run", None) or make_run(state="trained")
    report = make_report(values.pop("level", 0.5))
    now = timezone.now()
    done = {
        "state": "done",
        "started": now,
        "finished": now,
        "images": 2,
        "patients": 2,
        "lesions": 2,
        "found": 4,
        "done": 2,
        "total": 2,
        "average_sensitivity": report["average_sensitivity"],
        "average_low": report["bands"]["average_sensitivity"][0],
        "average_high": report["bands"]["average_sensitivity"][1],
        "sensitivity": report["sensitivity"],
        "report": report,
        "truth_sha256": "b" * 64,
    }
    evaluation = Evaluation.objects.create(run=run, **{**({} if "state" in values else done), **values})
    if targets:
        make_detections(evaluation)
    return evaluation


def make_target(evaluation: Evaluation, **values: Any) -> Target:
    """A lesion of 25 x 15 pixels in the middle of a slice; its box is that of `factories.make_lesion`."""
    box = {"x1": 232.5, "y1": 237.5, "x2": 267.5, "y2": 262.5}
    defaults = {
        "file_name": "000001_01_01_020.png",
        "number": 1,
        "patient": 1,
        "type": 5,
        "size_mm": 16.0,
        "score": 0.9,
    }
    return Target.objects.create(evaluation=evaluation, **{**defaults, **box, **values})


def make_detections(evaluation: Evaluation) -> None:
    """On one image a hit and a false positive, on the other a lesion that was missed."""
    hit = make_target(evaluation)
    make_target(evaluation, file_name="000002_01_01_020.png", patient=2, score=None)
    box = {"x1": 233.0, "y1": 238.0, "x2": 266.0, "y2": 262.0}
    away = {"x1": 100.0, "y1": 100.0, "x2": 130.0, "y2": 140.0}
    kinds = Detection.Outcome
    Detection.objects.bulk_create(
        [
            Detection(evaluation=evaluation, file_name=hit.file_name, target=hit, outcome=kinds.HIT, overlap=0.9,
                      score=0.9, **box),
            Detection(evaluation=evaluation, file_name=hit.file_name, outcome=kinds.FALSE_POSITIVE, overlap=0.0,
                      score=0.7, **away),
            Detection(evaluation=evaluation, file_name="000002_01_01_020.png", outcome=kinds.FALSE_POSITIVE,
                      overlap=0.1, score=0.6, **away),
            Detection(evaluation=evaluation, file_name="000002_01_01_020.png", outcome=kinds.FALSE_POSITIVE,
                      overlap=0.0, score=0.2, **away),
        ]
    )  # fmt: skip


def write_files(evaluation: Evaluation) -> None:
    """Put files where a run and its evaluation would have left them; each holds its own name."""
    folder = Path(settings.DATA_DIR) / evaluation.folder
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("detections.csv", "report.json", "../metrics.jsonl", "../train.log"):
        (folder / name).write_text(name)
