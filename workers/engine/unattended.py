"""The end of a job without success: what its work had said of itself is put right, where the work itself could not."""

from contextlib import suppress

from workers import kinds
from workers.engine.lease import Claim
from workers.errors import InvalidParams, JobRefused
from workers.models import Job


def tell_kind(job: Job | Claim, state: Job.State, message: str = "") -> None:
    """Tell the kind that a job has ended; belongs in the transaction that ends it, after the change of its row."""
    try:
        kind = kinds.get(job.kind)
        params = kind.read(job.params)
    except JobRefused:
        # Asked for by another version, which also wrote whatever there is of it.
        return
    if kind.ended is None:
        return
    others = []
    for each in Job.objects.filter(kind=job.kind, state__in=Job.UNFINISHED).values_list("params", flat=True):
        with suppress(InvalidParams):
            others.append(kind.read(each))
    kind.ended(params, others, state, message)
