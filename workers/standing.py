"""How the work stands: jobs by state, what waits in each queue, which workers live."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce, Now

from workers.engine.lease import length
from workers.engine.statements import after
from workers.models import Job, JobEvent, Worker


@dataclass(frozen=True)
class Queue:
    """One queue as it stands."""

    name: str
    waiting: int
    running: int
    oldest_s: float
    """How long the first of those that wait has waited since it was queued last, or since the moment that its next try
    was to wait for; what still waits for that does not count."""
    workers: int
    """Workers that take from it and gave a sign of life."""

    @property
    def stuck(self) -> bool:
        """Whether something waits and nobody comes for it."""
        return self.waiting > 0 and self.workers == 0


_QUEUED = (JobEvent.Kind.QUEUED, JobEvent.Kind.HANDED_BACK, JobEvent.Kind.WORKER_LOST)
_QUEUED_LAST = JobEvent.objects.filter(job=OuterRef("pk"), kind__in=_QUEUED).order_by("-id").values("at")[:1]
DUE_SINCE = Coalesce("not_before", Subquery(_QUEUED_LAST), "created")
"""Since when a waiting job might have been taken."""


def jobs() -> dict[tuple[str, str], int]:
    """Number of jobs per kind and state."""
    found = Job.objects.order_by().values_list("kind", "state").annotate(n=Count("id"))
    return {(kind, state): count for kind, state, count in found}


def queues() -> list[Queue]:
    """The queues, in their order."""
    due = Q(state=Job.State.QUEUED) & (Q(not_before__isnull=True) | Q(not_before__lte=Now()))
    rows = {
        name: (waiting, running, first, now)
        for name, waiting, running, first, now in Job.objects.filter(state__in=Job.UNFINISHED)
        .order_by()
        .values_list("queue")
        .annotate(
            waiting=Count("id", filter=due),
            running=Count("id", filter=Q(state__in=Job.HELD)),
            first=Min(DUE_SINCE, filter=due),
            now=Now(),
        )
    }
    taken = [queue for worker in living() for queue in worker.queues]
    empty: tuple[int, int, datetime | None, datetime | None] = (0, 0, None, None)
    return [
        Queue(
            queue.value, waiting, running, (now - first).total_seconds() if first and now else 0.0, taken.count(queue)
        )
        for queue in Job.Queue
        for waiting, running, first, now in [rows.get(queue.value, empty)]
    ]


def gpus_of(workers: list[Worker]) -> list[str] | None:
    """GPUs that some workers have together; None where no worker has said whether it has one."""
    said = [worker.gpus for worker in workers if worker.gpus is not None]
    return [name for gpus in said for name in gpus] if said else None


def living() -> list[Worker]:
    """Workers that gave a sign of life within a lease."""
    return list(Worker.objects.filter(seen__gte=after(-length()), seen__lte=Now()))
