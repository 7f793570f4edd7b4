"""Targets and detections of an evaluation, written by the hundred thousand.

Model instances cost more than the database does when there are so many. Constraints stand in the database, so what is
written here is held to them as well.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from typing import Any

import numpy as np
from django.db import connection
from django.db.models import Model
from numpy.typing import NDArray

from detection.evaluation.assign import Assignment
from detection.evaluation.tables import Detections, Truth
from detection.models import Detection, Evaluation, Target

Fence = Callable[[], AbstractContextManager[None]]
"""Begins a transaction that ends with the block: `transaction.atomic`, or a job's own, which refuses a worker that has
lost the job."""

CHUNK = 20_000
"""Rows per transaction, so that nobody waits long for a lock."""

BOX = ("x1", "y1", "x2", "y2")
TARGET = ("evaluation_id", "file_name", "number", "patient", "type", "size_mm", "score", *BOX)
DETECTION = ("evaluation_id", "file_name", "target_id", "outcome", "overlap", "score", *BOX)


def forget(evaluation: Evaluation, fence: Fence) -> None:
    """Drop what an attempt before has left."""
    with fence():
        for model in (Detection, Target):
            model.objects.filter(evaluation=evaluation)._raw_delete(using=model.objects.db)


def write_targets(
    evaluation: Evaluation, truth: Truth, scores: NDArray[np.float64], check: Callable[[], None], fence: Fence
) -> list[int]:
    """Write the lesions and the scores at which they are hit; gives their keys in the order of the truth.

    Parameters
    ----------
    check : called before every chunk; what it raises leaves the rest unwritten.
    fence : begins the transaction of every chunk.
    """
    first = np.searchsorted(truth.image, truth.image)
    found = zip(truth.image.tolist(), (truth.boxes - 1).tolist(), truth.types.tolist(), truth.sizes.tolist(),
                scores.tolist(), strict=True)  # fmt: skip
    _insert(Target, TARGET, check, fence, (
        (evaluation.pk, truth.names[image], place - int(first[place]) + 1, int(truth.patients[image]), kind, size,
         score if score > -np.inf else None, *box)
        for place, (image, box, kind, size, score) in enumerate(found)
    ))  # fmt: skip
    return list(Target.objects.filter(evaluation=evaluation).order_by("id").values_list("pk", flat=True))


def write_detections(
    evaluation: Evaluation, truth: Truth, found: Detections, targets: list[int], assigned: Assignment,
    check: Callable[[], None], fence: Fence,
) -> None:  # fmt: skip
    """Write every detection with what it was; `check` and `fence` as for `write_targets`."""
    _insert(Detection, DETECTION, check, fence, _detections(evaluation, truth, found, targets, assigned))


def _detections(
    evaluation: Evaluation, truth: Truth, found: Detections, targets: list[int], assigned: Assignment
) -> Iterator[tuple[Any, ...]]:
    hit, again, wrong = (int(kind) for kind in Detection.Outcome)
    columns = zip(found.image.tolist(), (found.boxes - 1).tolist(), found.scores.tolist(), assigned.lesion.tolist(),
                  assigned.overlap.tolist(), assigned.first.tolist(), strict=True)  # fmt: skip
    for image, box, score, lesion, overlap, first in columns:
        target = None if lesion < 0 else targets[lesion]
        outcome = wrong if target is None else hit if first else again
        yield evaluation.pk, truth.names[image], target, outcome, overlap, score, *box


def _insert(
    model: type[Model], fields: Sequence[str], check: Callable[[], None], fence: Fence, rows: Iterable[tuple[Any, ...]]
) -> None:
    quote = connection.ops.quote_name
    places = ", ".join(["%s"] * len(fields))
    into = f"{quote(model._meta.db_table)} ({', '.join(map(quote, fields))})"
    rows = iter(rows)
    while chunk := list(islice(rows, CHUNK)):
        check()
        with fence(), connection.cursor() as cursor:
            cursor.executemany(f"INSERT INTO {into} VALUES ({places})", chunk)  # noqa: S608 (names of the model)
