"""What a worker runs: thin shells over services."""

from typing import Any

from celery import shared_task

from datasets.models import Collection, Release
from datasets.services import manifest
from datasets.services import release as releases
from workers import engine, evaluating, harvesting, locating, training
from workers.models import Job

SHOWN = 50
"""Names of damaged images that a job's record keeps."""


def publish_release(params: dict[str, Any], progress: engine.Progress) -> dict[str, Any]:
    """Publish a collection with its official split; the downloads are prepared next."""
    damaged: list[str] = []
    release = releases.find(params["release"])
    if release is None:
        collection = Collection.objects.get(slug=params["collection"])
        release = releases.create(
            params["release"], collection, split=releases.OFFICIAL, on_images=progress, on_damage=damaged.append
        )
    engine.enqueue(kind=Job.Kind.MANIFEST, params={"release": release.name})
    return {"release": release.name, "compared": release.compared, "damaged": damaged[:SHOWN]}


def prepare_downloads(params: dict[str, Any], progress: engine.Progress) -> dict[str, Any]:
    made = manifest.prepare(release_name=params["release"], progress=progress)
    return {"sha256": made.sha256, "files": made.files, "bytes": made.bytes}


def train_then_locate(params: dict[str, Any], progress: engine.Progress) -> dict[str, Any]:
    """Train the regressor on a release; the lesions of its collection are located next."""
    made = locating.train_bodypart(params, progress)
    collection = Release.objects.get(name=params["release"]).collection
    engine.enqueue(kind=Job.Kind.LOCATE, params={"collection": collection.slug, "model": made["version"]})
    return made


def train_then_evaluate(params: dict[str, Any], progress: engine.Progress) -> dict[str, Any]:
    """Train a detector; it is evaluated in the test split next."""
    made = training.train(params, progress)
    engine.enqueue(kind=Job.Kind.EVALUATE, params={"run": made["run"], "split": "test"})
    return made


WORK: dict[str, engine.Work] = {
    Job.Kind.HARVEST: harvesting.perform,
    Job.Kind.RELEASE: publish_release,
    Job.Kind.MANIFEST: prepare_downloads,
    Job.Kind.BODYPART: train_then_locate,
    Job.Kind.LOCATE: locating.locate_lesions,
    Job.Kind.TRAIN: train_then_evaluate,
    Job.Kind.EVALUATE: evaluating.evaluate,
}


@shared_task
def perform(*, job_id: int) -> None:
    engine.perform(job_id, WORK)


@shared_task
def sweep() -> None:
    """Send again what no worker has; a job that is sent twice still runs once."""
    for job_id in engine.waiting():
        engine.publish(job_id)
