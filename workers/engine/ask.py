"""What people ask of the jobs: one more, an end, another try."""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from typing import Any

from celery import current_app
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from kombu.exceptions import OperationalError

from workers import kinds
from workers.engine.knock import knocking
from workers.engine.statements import QUEUE, changed, now, record
from workers.engine.unattended import tell_kind
from workers.errors import KeyReused, NotCancellable, NotRetriable
from workers.models import Job, JobEvent, JobKey

logger = logging.getLogger(__name__)

PERFORM = "workers.tasks.perform"
"""By name, because the task stands above the engine."""

TRIES = 3
"""How often a job is put into the table, where an equal one ends in the moment in which it is in the way."""

State, Event = Job.State, JobEvent.Kind

ENDED: dict[str, str] = {
    State.SUCCEEDED: "has succeeded",
    State.FAILED: "has failed",
    State.CANCELLED: "was cancelled",
}


def enqueue(
    *,
    kind: str,
    params: Mapping[str, Any],
    owner: Any = None,
    key: str | None = None,
    send: bool = True,
    on_new: Callable[[Job], object] | None = None,
) -> Job:
    """Record a job and send it to the workers once the transaction commits.

    Parameters
    ----------
    params : as JSON; they are validated, and what they leave out is filled in.
    owner : the user who asks; None for the system itself.
    key : idempotency key; whoever asks twice with the same one gets the same job, whenever that is.
    send : False where the asking process is going to run the job itself.
    on_new : called inside the transaction that makes a new job, and not for one that is there.

    Returns
    -------
    The new job; or the one with this key; or one of this kind with equal parameters that is queued or running.

    Raises
    ------
    UnknownKind, InvalidParams, KeyReused : nothing was queued.
    """
    found = kinds.get(kind)
    values = found.read(params)
    wanted = asdict(values)
    fingerprint = hashlib.sha256(json.dumps([kind, wanted], sort_keys=True).encode()).hexdigest()
    asked = {
        "kind": kind, "title": found.title, "params": wanted, "queue": found.queue, "owner_id": owner and owner.pk,
        "fingerprint": fingerprint, "attempts_allowed": found.attempts,
    }  # fmt: skip
    for tries_left in reversed(range(TRIES)):
        try:
            whole = key or on_new or found.asked or connection.in_atomic_block
            with transaction.atomic() if whole else nullcontext():
                known = _queued(asked, now() if send else "NULL", _asked_by(owner))
                if key:
                    JobKey.objects.create(owner=owner, key=key, job_id=known.pk)
                if on_new:
                    on_new(known)
                if found.asked:
                    found.asked(values)
                if send:
                    transaction.on_commit(partial(publish, known.pk, known.queue), robust=True)
            break
        except IntegrityError:
            # The constraints of the table say that the same was asked for before; most often it was not.
            same = _known(owner, key, fingerprint)
            if same is not None:
                known = same
                break
            # The one that was there has ended since; the next try is for what is left.
            if not tries_left:
                raise
    if known.fingerprint != fingerprint:
        raise KeyReused(f"The idempotency key was used for job {known.pk}, which was asked to do something else.")
    return known


def _queued(asked: dict[str, Any], published: str, text: str) -> Job:
    params = [*(asked | {"params": json.dumps(asked["params"])}).values()]
    row = changed(QUEUE.format(published=published), params, Event.QUEUED, text)
    assert row is not None
    known = asked | {"id": row[0]}
    # The moments are the database's own, and are read from there by whoever asks for them.
    columns = [column for column in Job._meta.concrete_fields if column.attname not in ("created", "published")]
    values = [known.get(column.attname, column.get_default()) for column in columns]
    return Job.from_db(connection.alias, [column.attname for column in columns], values)


def _known(owner: Any, key: str | None, fingerprint: str) -> Job | None:
    """The job that the key was answered with; else one at the same, with which it is answered from now on."""
    same = Job.objects.filter(fingerprint=fingerprint, state__in=Job.ANSWERS)
    if not key:
        return same.first()
    with transaction.atomic():
        remembered = JobKey.objects.select_related("job").filter(owner=owner, key=key).first()
        if remembered is None and (job := same.first()) is not None:
            remembered, _ = JobKey.objects.get_or_create(owner=owner, key=key, defaults={"job": job})
        return remembered.job if remembered is not None else None


def _asked_by(user: Any) -> str:
    return f"asked for by {user.get_username()}" if user else ""


def publish(job_id: int, queue: str) -> bool:
    """Tell the workers of a job; when the broker cannot be reached, its row says so and the sweep does it later."""
    try:
        current_app.send_task(PERFORM, kwargs={"job_id": job_id}, queue=queue, retry=False)
    except (OperationalError, OSError) as error:
        logger.warning("job %d waits for the broker (%s)", job_id, type(error).__name__)
        Job.objects.filter(pk=job_id, state=State.QUEUED).update(published=None)
        return False
    return True


def cancel(job_id: int, by: Any = None) -> Job:
    """Ask for a job to end: a queued one ends at once, a running one within seconds.

    Raises
    ------
    NotCancellable : it is finished.
    """
    asked = _asked_by(by)
    with knocking(job_id), transaction.atomic():
        job = Job.objects.select_for_update().get(pk=job_id)
        if job.state == State.QUEUED:
            Job.objects.filter(pk=job_id).update(state=State.CANCELLED, finished=Now(), not_before=None)
            record(job_id, Event.CANCELLED, job.attempt, asked)
            tell_kind(job, State.CANCELLED)
        elif job.state == State.RUNNING:
            Job.objects.filter(pk=job_id).update(state=State.CANCELLING)
            record(job_id, Event.CANCEL_REQUESTED, job.attempt, asked)
        elif job.state != State.CANCELLING:
            raise NotCancellable(f"Job {job_id} is finished: it {ENDED[job.state]}.")
        job.refresh_from_db()
    return job


def retry(job_id: int, by: Any = None) -> Job:
    """Queue a failed or cancelled job once more, with as many attempts as at first.

    Raises
    ------
    NotRetriable : it is unfinished or has succeeded, or an equal one is queued or running.
    """
    with transaction.atomic():
        job = Job.objects.select_for_update().get(pk=job_id)
        if job.state not in (State.FAILED, State.CANCELLED):
            raise NotRetriable(f"Job {job_id} has neither failed nor been cancelled.")
        try:
            with transaction.atomic():
                Job.objects.filter(pk=job_id).update(
                    state=State.QUEUED, finished=None, published=Now(), message="", done=0, total=0,
                    attempts_allowed=F("attempt") + kinds.get(job.kind).attempts,
                )  # fmt: skip
        except IntegrityError:
            raise NotRetriable(f"Another job does the same as job {job_id} and is unfinished.") from None
        record(job_id, Event.QUEUED, job.attempt, f"once more {_asked_by(by)}".strip())
        tell_kind(job, State.QUEUED)
        transaction.on_commit(lambda: publish(job_id, job.queue), robust=True)
        job.refresh_from_db()
    return job
