"""What Celery runs: one task for every kind of job, since the job's row says all else; and what beat asks for."""

from typing import Any

from celery import shared_task
from celery.signals import task_prerun
from django.db import close_old_connections

# Its signals start the sign of life in a worker.
from workers import engine, pulse, schedules

__all__ = ["knock", "perform", "pulse"]


@task_prerun.connect
def look_after_connections(**_: Any) -> None:
    """As Django before each request: connections that broke or are old go, and the first statement tries the others.

    Celery by itself closes them after every task; to open one again takes longer than all that a short job asks.
    """
    close_old_connections()


@shared_task
def perform(*, job_id: int) -> None:
    """Run a job, unless somebody else has it."""
    engine.perform(job_id)


@shared_task
def knock() -> None:
    """Queue the harvests that are due."""
    schedules.tick()
