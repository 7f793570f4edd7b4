"""What Celery runs: one task for every kind of job, since the job's row says all else."""

from celery import shared_task

# Its signals start the sign of life in a worker.
from workers import engine, pulse

__all__ = ["perform", "pulse"]


@shared_task
def perform(*, job_id: int) -> None:
    """Run a job, unless somebody else has it."""
    engine.perform(job_id)
