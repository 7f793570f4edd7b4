"""Do the work of a claimed job, and write down what became of it, however the work ends."""

import errno
import logging
import os
import socket
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError, transaction

from datasets.services.errors import Unfinished
from workers import kinds
from workers.engine import ask, lease, shutdown
from workers.engine.attempt import Attempt
from workers.engine.statements import after, record
from workers.engine.unattended import tell_kind
from workers.errors import Cancelled, LeaseLost, ProcessExit, Stopping
from workers.models import Job, JobEvent

logger = logging.getLogger(__name__)

State, Event = Job.State, JobEvent.Kind

TRANSIENT = (OperationalError, InterfaceError, ConnectionError)
"""Errors that may pass by themselves, whatever the kind of job."""

FIRST_DELAY, GROWTH, LONGEST_DELAY = timedelta(seconds=5), 3, timedelta(minutes=10)
"""How long a job waits before it is tried again: 5 s, 15 s, 45 s and so on."""

OURS = ("datasets", "detection", "workers")
"""Packages whose errors are sentences for people and name no patient."""


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended: what is written to the row, and to the log."""

    state: Job.State
    event: JobEvent.Kind
    text: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    error: BaseException | None = None


def this_process() -> str:
    """The name under which this process has jobs."""
    return f"{socket.gethostname()}:{os.getpid()}"[:128]


def perform(job_id: int) -> None:
    """Run a queued job in a worker; nothing happens when it is not to be had."""
    claim = lease.claim(job_id, this_process())
    if claim is None:
        return
    try:
        work(Attempt(claim))
    except Exception:
        # The job's row says what went wrong; the log must not repeat what an exception may carry of the data.
        logger.warning("job %d failed", job_id)


def work(attempt: Attempt) -> None:
    """Do the work of a claimed job and write down the outcome.

    Raises
    ------
    Exception : what made the job fail, once that is written down; not what it is tried again after.
    """
    claim = attempt.claim
    try:
        with attempt.kept():
            outcome = _outcome(attempt)
            try:
                attempt.settle(partial(_write, attempt, outcome))
            except LeaseLost:
                raise
            except Exception as error:
                # A result that cannot be kept is the job's failure, and no worker's.
                outcome = _failed(error)
                attempt.settle(partial(_write, attempt, outcome))
    except LeaseLost:
        logger.warning("job %d is another worker's now; attempt %d ends", claim.job_id, claim.attempt)
        return
    if outcome.state == State.SUCCEEDED:
        _tidy(attempt)
    if outcome.error is not None:
        raise outcome.error


def _outcome(attempt: Attempt) -> Outcome:
    """Do the work; say how it ended.

    Raises
    ------
    LeaseLost
    """
    claim = attempt.claim
    transient: tuple[type[Exception], ...] = TRANSIENT
    try:
        kind = kinds.get(claim.kind)
        transient += kind.transient
        result = kind.work(kind.read(claim.params), attempt)
    except LeaseLost:
        raise
    except Cancelled:
        if not attempt.is_cancelled():
            return _handed_back(claim, "somebody asked for its end, and did not say so")
        return Outcome(State.CANCELLED, Event.CANCELLED)
    except Stopping:
        return _handed_back(claim, "the worker was shut down")
    except Exception as error:
        if not _passes(error, transient):
            return _failed(error)
        if attempt.watched:
            return _failed(error)
        if claim.attempt >= claim.attempts_allowed:
            return _failed(error, f" Given up after {claim.attempt} attempts.")
        wait = delay(claim.attempt)
        text = f"in {wait.total_seconds():.0f} s: {sentence(error)}"
        values = {"not_before": after(wait), "message": sentence(error)}
        return Outcome(State.QUEUED, Event.RETRIED, text, values)
    except BaseException as error:
        if isinstance(error, SystemExit) and not shutdown.begun():
            # Something in the work asked for it, and would again each time.
            return _failed(ProcessExit("the work asked for the end of its process"))
        return _handed_back(claim, "the process was ended", error)
    return Outcome(State.SUCCEEDED, Event.SUCCEEDED, values={"result": result})


def _write(attempt: Attempt, outcome: Outcome) -> None:
    """Write the outcome; what shall follow a success is queued in the same transaction."""
    claim, succeeded = attempt.claim, outcome.state == State.SUCCEEDED
    with nullcontext() if succeeded and not attempt.following else transaction.atomic():
        if not succeeded:
            state = lease.settle(claim, outcome.state, outcome.event, outcome.text, **outcome.values)
            tell_kind(claim, state, outcome.values.get("message", ""))
            return
        lease.succeed(claim, outcome.values["result"])
        for kind, params in attempt.following:
            ask.enqueue(kind=kind, params=params)


def _tidy(attempt: Attempt) -> None:
    """Do what was left for after the success, which stands whatever becomes of this."""
    claim = attempt.claim
    for tidy in attempt.tidying:
        try:
            tidy()
        except Exception as error:
            failed = "tidying up afterwards failed"
            logger.warning("job %d has succeeded; %s (%s)", claim.job_id, failed, type(error).__name__)
            place = f" ({error.filename})" if isinstance(error, OSError) and error.filename else ""
            attempt.tell(f"Job {claim.job_id} has succeeded, but {failed}: {sentence(error)}{place}")
            with suppress(DatabaseError):
                record(claim.job_id, Event.LOG, claim.attempt, f"{failed}: {sentence(error)}")


def _passes(error: BaseException | None, transient: tuple[type[Exception], ...]) -> bool:
    """Whether an error, or one that it was raised from, may pass by itself."""
    while error is not None:
        if isinstance(error, transient):
            return True
        error = error.__cause__
    return False


def _failed(error: Exception, more: str = "") -> Outcome:
    text = sentence(error) + more
    values: dict[str, Any] = {"message": text[:500]}
    if isinstance(error, Unfinished):
        values["result"] = error.so_far
    return Outcome(State.FAILED, Event.FAILED, text, values, error)


def _handed_back(claim: lease.Claim, why: str, error: BaseException | None = None) -> Outcome:
    # That it was broken off is not the job's fault, so it may be tried once more than was allowed.
    return Outcome(State.QUEUED, Event.HANDED_BACK, why, {"attempts_allowed": claim.attempts_allowed + 1}, error)


def delay(attempt: int) -> timedelta:
    """How long a job waits after its attempt-th try; longer each time."""
    return min(FIRST_DELAY * GROWTH ** (attempt - 1), LONGEST_DELAY)


def sentence(error: BaseException) -> str:
    """What the job page says of an error: our own sentences whole, of a stranger's only the kind."""
    if type(error).__module__.split(".")[0] in OURS:
        return str(error)[:500]
    if getattr(error, "errno", None) == errno.ENOSPC or "disk is full" in str(error):
        return "The disk is full."
    return f"Stopped by {type(error).__name__}."
