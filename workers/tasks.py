"""What a worker runs: thin shells over services."""

from typing import Any

from celery import shared_task

from datasets.models import Release
from datasets.services import manifest
from workers import engine, harvesting, locating
from workers.models import Job


def prepare_downloads(params: dict[str, Any], progress: engine.Progress) -> dict[str, Any]:
    made = manifest.prepare(release_name=params["release"], progress=progress)
    return {"sha256": made.sha256, "files": made.files, "bytes": made.bytes}


def train_then_locate(params: dict[str, Any], progress: engine.Progress) -> dict[str, Any]:
    """Train the regressor on a release; the lesions of its collection are located next."""
    made = locating.train_bodypart(params, progress)
    collection = Release.objects.get(name=params["release"]).collection
    engine.enqueue(kind=Job.Kind.LOCATE, params={"collection": collection.slug, "model": made["version"]})
    return made


WORK: dict[str, engine.Work] = {
    Job.Kind.HARVEST: harvesting.perform,
    Job.Kind.MANIFEST: prepare_downloads,
    Job.Kind.BODYPART: train_then_locate,
    Job.Kind.LOCATE: locating.locate_lesions,
}


@shared_task
def perform(*, job_id: int) -> None:
    engine.perform(job_id, WORK)


@shared_task
def sweep() -> None:
    """Send again what no worker has; a job that is sent twice still runs once."""
    for job_id in engine.waiting():
        engine.publish(job_id)
