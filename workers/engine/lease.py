"""A worker's hold on a job: a lease by the database's clock, and the attempt's number as the fencing token.

Whoever writes for a job names the attempt; a row that has moved on is not touched. So a worker that was paused, cut
off or declared dead writes nothing, whenever it comes back.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, Q, QuerySet, Value
from django.db.models.functions import Now
from django.db.models.sql import UpdateQuery

from workers.errors import Cancelled, LeaseLost
from workers.models import Job, JobEvent

State, Event = Job.State, JobEvent.Kind

DUE = Q(not_before__isnull=True) | Q(not_before__lte=Now())
"""A job that waits for no retry's moment."""


ATTEMPT = "{attempt}"

CHANGE_AND_TELL = """
WITH changed AS ({update} RETURNING *),
told AS (
    INSERT INTO workers_jobevent (job_id, kind, attempt, text)
    SELECT id, %s, attempt, REPLACE(%s, %s, CAST(attempt AS text)) FROM changed
)
SELECT * FROM changed
"""
"""One statement for PostgreSQL, which would be asked five times otherwise; SQLite has no such thing."""


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
    free = Job.objects.filter(DUE, pk=job_id, state=State.QUEUED)
    job = _changed(
        free, Event.STARTED, f"attempt {ATTEMPT} by {worker}",
        state=State.RUNNING, attempt=F("attempt") + 1, worker=worker, lease_until=after(length()),
        started=Now(), not_before=None, done=0, total=0, counted_since=None, message="",
    )  # fmt: skip
    return None if job is None else Claim(job, job.attempt)


def _changed(rows: QuerySet[Job], event: JobEvent.Kind, text: str, **values: Any) -> Job | None:
    """Update one row, add a line to its log and read it, with as few trips to the database as it allows.

    Parameters
    ----------
    text : of the line; `ATTEMPT` stands for the attempt's number after the update.
    """
    query: Any = rows.query.chain(UpdateQuery)
    query.add_update_values(values)
    update, params = query.get_compiler(rows.db).as_sql()
    if connection.vendor == "postgresql":
        line = [str(event), text[:2000], ATTEMPT]
        return next(iter(Job.objects.raw(CHANGE_AND_TELL.format(update=update), [*params, *line])), None)
    with transaction.atomic():
        job = next(iter(Job.objects.raw(f"{update} RETURNING *", params)), None)
        if job is not None:
            record(job.pk, event, job.attempt, text.replace(ATTEMPT, str(job.attempt)))
    return job


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
    with nullcontext() if state == State.SUCCEEDED else transaction.atomic():
        if state != State.SUCCEEDED:
            now = held(claim).select_for_update().values_list("state", flat=True).first()
            if now == State.CANCELLING:
                state, event, values = State.CANCELLED, Event.CANCELLED, {"message": values.get("message", "")}
        if state == State.QUEUED:
            values |= {"published": None}
        else:
            values |= {"finished": Now()}
        if _changed(held(claim), event, text, state=state, lease_until=None, **values) is None:
            raise LeaseLost


def _go_on(rows: QuerySet[Job]) -> None:
    state = rows.values_list("state", flat=True).first()
    if state is None:
        raise LeaseLost
    if state == State.CANCELLING:
        raise Cancelled


def _written(rows: int) -> None:
    if not rows:
        raise LeaseLost
