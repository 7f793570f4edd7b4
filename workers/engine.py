"""Jobs: put one in the queue, run it once, tell how far it is.

A job is claimed by a compare-and-swap on its row, so that a message delivered twice runs it once. Work happens with no
transaction open; it reports progress, which is also the sign of life by which a lost job is known.
"""

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Protocol

from celery import current_app
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from kombu.exceptions import OperationalError

from workers.models import Job

logger = logging.getLogger(__name__)

PERFORM = "workers.tasks.perform"
"""By name, because the task stands above the engine."""

LOST_AFTER = timedelta(seconds=60)
"""A running job without a sign of life for so long may be taken over."""

REPORT_EVERY_S = 0.5

Progress = Callable[[int, int], None]
"""Called with what is done and the total."""


class Work(Protocol):
    """What a kind of job does.

    It returns what the job page shows, or raises to fail.
    """

    def __call__(self, params: dict[str, Any], progress: Progress) -> dict[str, Any]: ...


def enqueue(*, kind: str, params: dict[str, Any], owner: Any = None) -> Job:
    """Record a job and send it to the workers once the transaction commits; an unfinished equal one is returned."""
    with transaction.atomic():
        unfinished = Job.objects.filter(kind=kind, params=params, state__in=(Job.State.QUEUED, Job.State.RUNNING))
        job = unfinished.first() or Job.objects.create(kind=kind, params=params, owner=owner)
        transaction.on_commit(lambda: publish(job.pk))
    return job


def publish(job_id: int) -> None:
    """Tell the workers of a job; when the broker cannot be reached, the sweep will."""
    try:
        current_app.send_task(PERFORM, kwargs={"job_id": job_id}, retry=False)
    except (OperationalError, OSError) as error:
        logger.warning("job %d waits for the broker (%s)", job_id, type(error).__name__)


def run_here(*, kind: str, params: dict[str, Any], work: Work, progress: Progress | None = None) -> dict[str, Any]:
    """Run a job in this process, recorded like any other; what the work raises is raised."""
    job = Job.objects.create(kind=kind, params=params)
    _claim(job.pk)
    return _work(job, work, progress)


def perform(job_id: int, work: dict[str, Work]) -> None:
    """Run a queued job in a worker; nothing happens when another worker has it."""
    job = _claim(job_id)
    if job is None:
        return
    try:
        _work(job, work[job.kind])
    except Exception:
        # The job's row says what went wrong; the log must not repeat what an exception may carry of the data.
        logger.warning("job %d (%s) failed", job.pk, job.kind)


def waiting() -> list[int]:
    """Jobs that no worker has: queued ones, and running ones whose worker was lost."""
    lost = Q(state=Job.State.RUNNING, heartbeat__lt=timezone.now() - LOST_AFTER)
    return list(Job.objects.filter(Q(state=Job.State.QUEUED) | lost).order_by("pk").values_list("pk", flat=True))


def _claim(job_id: int) -> Job | None:
    now = timezone.now()
    free = Q(state=Job.State.QUEUED) | Q(state=Job.State.RUNNING, heartbeat__lt=now - LOST_AFTER)
    claimed = Job.objects.filter(free, pk=job_id).update(
        state=Job.State.RUNNING, started=now, heartbeat=now, done=0, total=0, message=""
    )
    return Job.objects.get(pk=job_id) if claimed else None


def _work(job: Job, work: Work, progress: Progress | None = None) -> dict[str, Any]:
    try:
        result = work(job.params, _Reporter(job.pk, progress))
    except BaseException as error:
        _finish(job.pk, state=Job.State.FAILED, message=_sentence(error))
        raise
    _finish(job.pk, state=Job.State.SUCCEEDED, result=result)
    return result


def _finish(job_id: int, **values: Any) -> None:
    Job.objects.filter(pk=job_id, state=Job.State.RUNNING).update(finished=timezone.now(), **values)


def _sentence(error: BaseException) -> str:
    """What the job page says of an error: our own sentences whole, of a stranger's only the kind."""
    own = type(error).__module__.split(".")[0] in ("datasets", "detection", "workers")
    return str(error)[:500] if own else f"stopped by {type(error).__name__}"


class _Reporter:
    """Writes progress to the job's row, now and then."""

    def __init__(self, job_id: int, also: Progress | None) -> None:
        self.job_id = job_id
        self.also = also
        self.last = 0.0

    def __call__(self, done: int, total: int) -> None:
        if self.also is not None:
            self.also(done, total)
        now = time.monotonic()
        if now - self.last >= REPORT_EVERY_S or done == total:
            self.last = now
            Job.objects.filter(pk=self.job_id).update(done=done, total=total, heartbeat=timezone.now())
