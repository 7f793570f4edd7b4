"""A worker's hold on a job: a lease by the database's clock, and the attempt's number as the fencing token.

Whoever writes for a job names the attempt; a row that has moved on is not touched. So a worker that was paused, cut
off or declared dead writes nothing, whenever it comes back.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, Q, QuerySet, Value
from django.db.models.functions import Now

from workers.errors import Cancelled, LeaseLost
from workers.models import Job, JobEvent

State, Event = Job.State, JobEvent.Kind

DUE = Q(not_before__isnull=True) | Q(not_before__lte=Now())
"""A job that waits for no retry's moment."""


@dataclass(frozen=True)
class Claim:
    """A job as it was when it was claimed, and the attempt by which this process has it."""

    job: Job
    attempt: int

    @property
    def job_id(self) -> int:
        """Key of the job."""
        return self.job.pk


def length() -> timedelta:
    """For how long a worker has a job without a sign of life."""
    return timedelta(seconds=settings.JOB_LEASE_SECONDS)


def after(span: timedelta) -> ExpressionWrapper:
    """A moment from now, by the database's clock."""
    return ExpressionWrapper(Now() + Value(span), output_field=DateTimeField())


def record(job_id: int, kind: JobEvent.Kind, attempt: int, text: str = "") -> None:
    """Add a line to a job's log; belongs in the transaction that changes the row."""
    JobEvent.objects.create(job_id=job_id, kind=kind, attempt=attempt, text=text[:2000])


def claim(job_id: int, worker: str) -> Claim | None:
    """Take a queued job, by compare-and-swap on its row; None where it is not to be had."""
    with transaction.atomic():
        free = Job.objects.filter(DUE, pk=job_id, state=State.QUEUED)
        taken = free.update(
            state=State.RUNNING, attempt=F("attempt") + 1, worker=worker, lease_until=after(length()),
            started=Now(), not_before=None, done=0, total=0, counted_since=None, message="",
        )  # fmt: skip
        if not taken:
            return None
        job = Job.objects.get(pk=job_id)
        record(job_id, Event.STARTED, job.attempt, f"attempt {job.attempt} by {worker}")
    return Claim(job, job.attempt)


def held(claim: Claim) -> QuerySet[Job]:
    """The job's row, as long as this attempt has it."""
    return Job.objects.filter(
        pk=claim.job_id, attempt=claim.attempt, state__in=Job.HELD, lease_until__gt=Now()
    ).order_by()


def renew(claim: Claim) -> None:
    """Have the job for the length of a lease from now.

    Raises
    ------
    LeaseLost
    """
    _written(held(claim).update(lease_until=after(length())))


def check(claim: Claim) -> None:
    """Whether this attempt still has the job and shall go on.

    Raises
    ------
    LeaseLost, Cancelled
    """
    _go_on(held(claim))


def progress(claim: Claim, **values: Any) -> None:
    """Write how far the work is.

    Raises
    ------
    LeaseLost
    """
    _written(held(claim).update(**values))


def log(claim: Claim, text: str) -> None:
    """Add a line to the log.

    Raises
    ------
    LeaseLost
    """
    with closing(claim):
        record(claim.job_id, Event.LOG, claim.attempt, text)


@contextmanager
def fence(claim: Claim) -> Iterator[None]:
    """A transaction that holds the job's row: the lease cannot be taken back before it ends.

    Raises
    ------
    LeaseLost, Cancelled : on entering.
    """
    with transaction.atomic():
        _go_on(held(claim).select_for_update())
        yield


@contextmanager
def closing(claim: Claim) -> Iterator[None]:
    """As `fence`, but a request to cancel does not keep it shut.

    Raises
    ------
    LeaseLost : on entering.
    """
    with transaction.atomic():
        if not held(claim).select_for_update().exists():
            raise LeaseLost
        yield


def settle(claim: Claim, state: Job.State, event: JobEvent.Kind, text: str = "", **values: Any) -> None:
    """End the attempt: by success, failure, cancellation, or by going back to the queue.

    A job that is being cancelled and does not succeed is cancelled, whatever else ended it.

    Raises
    ------
    LeaseLost : somebody else has the job or finished it.
    """
    with transaction.atomic():
        if state != State.SUCCEEDED:
            now = held(claim).select_for_update().values_list("state", flat=True).first()
            if now == State.CANCELLING:
                state, event, values = State.CANCELLED, Event.CANCELLED, {"message": values.get("message", "")}
        if state == State.QUEUED:
            values |= {"published": None}
        else:
            values |= {"finished": Now()}
        _written(held(claim).update(state=state, lease_until=None, **values))
        record(claim.job_id, event, claim.attempt, text)


def _go_on(rows: QuerySet[Job]) -> None:
    state = rows.values_list("state", flat=True).first()
    if state is None:
        raise LeaseLost
    if state == State.CANCELLING:
        raise Cancelled


def _written(rows: int) -> None:
    if not rows:
        raise LeaseLost
