"""What a worker runs: thin shells over services."""

from typing import Any

from celery import shared_task

from datasets.services import manifest
from workers import engine
from workers.models import Job


def prepare_downloads(params: dict[str, Any], progress: engine.Progress) -> dict[str, Any]:
    made = manifest.prepare(release_name=params["release"], progress=progress)
    return {"sha256": made.sha256, "files": made.files, "bytes": made.bytes}


WORK: dict[str, engine.Work] = {Job.Kind.MANIFEST: prepare_downloads}


@shared_task
def perform(*, job_id: int) -> None:
    engine.perform(job_id, WORK)


@shared_task
def sweep() -> None:
    """Send again what no worker has; a job that is sent twice still runs once."""
    for job_id in engine.waiting():
        engine.publish(job_id)
