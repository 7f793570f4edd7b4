"""What people ask of the jobs, through pages and the API alike; it is in the audit log or it did not happen."""

from collections.abc import Callable, Mapping
from typing import Any

from django.db import transaction

from deeplesion_site import harvest_wish, import_wish
from deeplesion_site.accounts import audit
from deeplesion_site.accounts.models import Action
from workers import engine
from workers.errors import JobRefused
from workers.kind import Kind
from workers.kinds import harvest, import_download
from workers.models import Job
from workers.params import Params

WISHES: dict[str, tuple[type[Params], Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    harvest.KIND.name: (harvest_wish.HarvestWish, harvest_wish.params_of),
    import_download.KIND.name: (import_wish.ImportWish, import_wish.params_of),
}
"""Kinds whose parameters are not what a client says: what it says, and what makes parameters of that."""


def wish_of(kind: Kind[Any]) -> type[Params]:
    """What is asked for: where a kind has one the wish, else the parameters themselves."""
    return WISHES[kind.name][0] if kind.name in WISHES else kind.params


class NotARehearsal(JobRefused):
    """There is nothing to do for real."""


def start(*, kind: str, params: Mapping[str, Any], by: Any, key: str | None = None) -> tuple[Job, bool]:
    """Queue a job; whoever asks again with the same key, or for what is still unfinished, gets the one there is.

    Returns
    -------
    The job, and whether it is new.

    Raises
    ------
    UnknownKind, InvalidParams, KeyReused : nothing was queued.
    """
    if kind in WISHES:
        params = WISHES[kind][1](params)
    return _start(kind, params, by, key)


def harvest_for_real(*, rehearsal: Job, by: Any) -> tuple[Job, bool]:
    """Queue the harvest that a dry run was for; asked twice, it is one.

    Raises
    ------
    NotARehearsal
    """
    if rehearsal.kind != harvest.KIND.name or not rehearsal.params.get("dry_run"):
        raise NotARehearsal(f"Job {rehearsal.pk} is no dry run of a harvest.")
    params = {**rehearsal.params, "dry_run": False}
    return _start(rehearsal.kind, params, by, f"for-real-{rehearsal.pk}")


def _start(kind: str, params: Mapping[str, Any], by: Any, key: str | None) -> tuple[Job, bool]:
    made: list[int] = []

    def new(job: Job) -> None:
        made.append(job.pk)
        _record(by, Action.JOB_STARTED, job)

    job = engine.enqueue(kind=kind, params=params, owner=by, key=key, on_new=new)
    return job, job.pk in made


def cancel(*, pk: int, by: Any) -> Job:
    """Ask for a job to end; asking again changes nothing.

    Raises
    ------
    NotCancellable, Job.DoesNotExist
    """
    with transaction.atomic():
        before = Job.objects.select_for_update().get(pk=pk).state
        job = engine.cancel(pk, by)
        if job.state != before:
            _record(by, Action.JOB_CANCELLED, job)
    return job


def retry(*, pk: int, by: Any) -> Job:
    """Queue a failed or cancelled job once more.

    Raises
    ------
    NotRetriable, Job.DoesNotExist
    """
    with transaction.atomic():
        job = engine.retry(pk, by)
        _record(by, Action.JOB_RETRIED, job)
    return job


def _record(by: Any, action: Action, job: Job) -> None:
    # Parameters stay in the job's row: the log names the job.
    audit.record(by, action, f"job {job.pk}", kind=job.kind)
