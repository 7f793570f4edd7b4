"""The end of a job without success, or of an attempt: what its work had said of itself is put right."""

from contextlib import suppress

from workers import kinds
from workers.engine.lease import Claim
from workers.errors import InvalidParams, JobRefused
from workers.models import Job


def tell_kind(job: Job | Claim, state: Job.State, message: str = "") -> None:
    """Tell the kind that a job has ended without success or waits again; belongs in the transaction that says so.

    Parameters
    ----------
    state : FAILED, CANCELLED or QUEUED, as its row says now.
    """
    try:
        kind = kinds.get(job.kind)
        params = kind.read(job.params)
    except JobRefused:
        # Asked for by another version, which also wrote whatever there is of it.
        return
    if state == Job.State.QUEUED:
        if kind.again is not None:
            kind.again(params)
        return
    if kind.ended is None:
        return
    others = []
    for each in Job.objects.filter(kind=job.kind, state__in=Job.UNFINISHED).values_list("params", flat=True):
        with suppress(InvalidParams):
            others.append(kind.read(each))
    kind.ended(params, others, state, message)
