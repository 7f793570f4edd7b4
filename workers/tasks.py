"""What Celery runs: one task for every kind of job, since the job's row says all else; and what beat asks for."""

from celery import shared_task

# Its signals start the sign of life in a worker.
from workers import engine, pulse, schedules

__all__ = ["knock", "perform", "pulse"]


@shared_task
def perform(*, job_id: int) -> None:
    """Run a job, unless somebody else has it."""
    engine.perform(job_id)


@shared_task
def knock() -> None:
    """Queue the harvests that are due."""
    schedules.tick()
