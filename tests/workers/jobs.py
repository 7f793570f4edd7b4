"""Jobs of the kind `try` for the tests of the engine, and what is looked at of them."""

from datetime import timedelta
from typing import Any

from django.db.models.functions import Now

from workers import engine
from workers.engine import lease
from workers.models import Job


def queued(number: int = 0, **values: Any) -> Job:
    """Ask for one; jobs of different numbers are different."""
    return engine.enqueue(kind="try", params={"number": number}, **values)


def log_of(job: Job) -> list[str]:
    """What happened, in order."""
    return list(job.events.values_list("kind", flat=True))


def told(job: Job) -> list[str]:
    """What the log says of it."""
    return list(job.events.values_list("text", flat=True))


def lose(job: Job) -> None:
    """Let the lease run out, as if its worker had been gone for long."""
    Job.objects.filter(pk=job.pk).update(lease_until=lease.after(-timedelta(seconds=1)))


def again_at_once(job: Job) -> None:
    """Let a job that waits for its next attempt be due."""
    Job.objects.filter(pk=job.pk).update(not_before=Now())
