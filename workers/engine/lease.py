"""A worker's hold on a job: a lease by the database's clock, and the attempt's number as the fencing token.

Whoever writes for a job names the attempt; a row that has moved on is not touched. So a worker that was paused, cut
off or declared dead writes nothing, whenever it comes back.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from workers.engine.statements import ATTEMPT, CLAIM, SUCCEED, after, changed, in_words, now, record
from workers.errors import Cancelled, LeaseLost
from workers.models import Job, JobEvent

State, Event = Job.State, JobEvent.Kind

DUE = Q(not_before__isnull=True) | Q(not_before__lte=Now())
"""A job that waits for no retry's moment."""


@dataclass(frozen=True)
class Claim:
    """An attempt by which this process has a job, and what is to be done."""

    job_id: int
    attempt: int
    kind: str
    params: dict[str, Any]
    attempts_allowed: int


def length() -> timedelta:
    """For how long a worker has a job without a sign of life."""
    return timedelta(seconds=settings.JOB_LEASE_SECONDS)


def claim(job_id: int, worker: str) -> Claim | None:
    """Take a queued job, by compare-and-swap on its row; None where it is not to be had."""
    later, span = in_words(after(length()))
    change = CLAIM.format(after=later, now=now())
    row = changed(change, [worker, *span, job_id], Event.STARTED, f"attempt {ATTEMPT} by {worker}")
    if row is None:
        return None
    key, attempt, kind, params, allowed = row
    return Claim(key, attempt, kind, json.loads(params), allowed)


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


def succeed(claim: Claim, result: dict[str, Any]) -> None:
    """End the attempt by success, also where a request to cancel came too late.

    Raises
    ------
    LeaseLost : somebody else has the job or finished it.
    TypeError, ValueError : the result is no JSON.
    """
    change = SUCCEED.format(now=now())
    params = [json.dumps(result, allow_nan=False), claim.job_id, claim.attempt]
    if changed(change, params, Event.SUCCEEDED) is None:
        raise LeaseLost


def settle(claim: Claim, state: Job.State, event: JobEvent.Kind, text: str = "", **values: Any) -> Job.State:
    """End the attempt by failure, cancellation, or by going back to the queue; gives the state that it came to.

    A job that is being cancelled is cancelled, whatever else ended it.

    Raises
    ------
    LeaseLost : somebody else has the job or finished it.
    """
    with transaction.atomic():
        found = held(claim).select_for_update().values_list("state", flat=True).first()
        if found == State.CANCELLING:
            state, event, values = State.CANCELLED, Event.CANCELLED, {"message": values.get("message", "")}
        values |= {"published": None} if state == State.QUEUED else {"finished": Now()}
        _written(held(claim).update(state=state, lease_until=None, **values))
        record(claim.job_id, event, claim.attempt, text)
    return state


def _go_on(rows: QuerySet[Job]) -> None:
    state = rows.values_list("state", flat=True).first()
    if state is None:
        raise LeaseLost
    if state == State.CANCELLING:
        raise Cancelled


def _written(rows: int) -> None:
    if not rows:
        raise LeaseLost
