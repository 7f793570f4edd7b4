"""Publish a collection, split by patient; the downloads are prepared next."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from datasets.models import Collection
from datasets.services import release as releases
from datasets.services.errors import Refused
from workers.kind import Kind
from workers.models import Job
from workers.params import CollectionName, Params, ReleaseName, Seed
from workers.run import Run

SHOWN = 50
"""Names of damaged images that a job's record keeps."""


class NothingToPublish(Refused):
    """No such collection."""


@dataclass(frozen=True)
class ReleaseParams(Params):
    release: ReleaseName
    collection: CollectionName
    split: str = releases.OFFICIAL
    """`official`, or percent of the patients for training, validation and test: 70/15/15."""
    seed: Seed = 0

    def mistakes(self) -> Iterator[tuple[str, str]]:
        try:
            releases.split_of(self.split)
        except Refused as error:
            yield "split", f"split cannot be taken: {error}."


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
            params.release,
            collection,
            split=releases.split_of(params.split),
            seed=params.seed,
            on_images=progress,
            on_damage=damaged.append,
            check=run.check_cancelled,
            fence=run.fence,
        )
    run.then("manifest", {"release": release.name})
    return {"release": release.name, "compared": release.compared, "damaged": damaged[:SHOWN]}


KIND = Kind("release", "publish release", Job.Queue.IO, ReleaseParams, publish)
