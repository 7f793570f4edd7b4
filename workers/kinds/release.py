"""Publish a collection with its official split; the downloads are prepared next."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from datasets.models import Collection
from datasets.services import release as releases
from datasets.services.errors import Refused
from workers.kind import Kind
from workers.models import Job
from workers.params import Params
from workers.run import Run

SHOWN = 50
"""Names of damaged images that a job's record keeps."""


class NothingToPublish(Refused):
    """No such collection."""


@dataclass(frozen=True)
class ReleaseParams(Params):
    release: str
    collection: str


def publish(params: ReleaseParams, run: Run) -> dict[str, Any]:
    """Publish, unless a release of this name is there."""
    damaged: list[str] = []
    release = releases.find(params.release)
    if release is None:
        collection = Collection.objects.filter(slug=params.collection).first()
        if collection is None:
            raise NothingToPublish(f"there is no collection {params.collection}")
        progress = partial(run.progress, unit="slices")
        release = releases.create(
            params.release, collection, split=releases.OFFICIAL, on_images=progress, on_damage=damaged.append
        )
    run.then("manifest", {"release": release.name})
    return {"release": release.name, "compared": release.compared, "damaged": damaged[:SHOWN]}


KIND = Kind("release", "publish release", Job.Queue.IO, ReleaseParams, publish)
