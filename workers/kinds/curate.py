"""Curate a collection again, after thresholds changed: noise reasons, duplicates, proposals."""

from dataclasses import asdict, dataclass
from typing import Any

from datasets import thresholds
from datasets.models import Collection
from datasets.services.curate import curate
from datasets.services.errors import Refused
from workers.kind import Kind
from workers.models import Job
from workers.params import CollectionName, Params
from workers.run import Run


class NothingToCurate(Refused):
    """No such collection, or one that keeps the curation it was published with."""


@dataclass(frozen=True)
class CurateParams(Params):
    collection: CollectionName


def work(params: CurateParams, run: Run) -> dict[str, Any]:
    """Curate by the thresholds of the worker's environment, which the result tells."""
    collection = Collection.objects.filter(slug=params.collection).first()
    if collection is None:
        raise NothingToCurate(f"there is no collection {params.collection}")
    if collection.kind == Collection.Kind.PUBLISHED:
        raise NothingToCurate(f"{collection.slug} keeps the curation that it was published with")
    limits = thresholds.in_force()
    counts = curate(collection=collection, limits=limits, progress=run.progress, fence=run.fence)
    return {**counts, "thresholds": asdict(limits)}


KIND = Kind("curate", "curate", Job.Queue.CPU, CurateParams, work)
