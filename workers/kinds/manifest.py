"""Prepare the downloads of a release: hash its slices, write its manifest."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from datasets.services import manifest
from workers.kind import Kind
from workers.models import Job
from workers.params import Params, ReleaseName
from workers.run import Run


@dataclass(frozen=True)
class ManifestParams(Params):
    release: ReleaseName


def prepare(params: ManifestParams, run: Run) -> dict[str, Any]:
    """Write the manifest, unless it is there."""
    progress = partial(run.progress, unit="slices")
    made = manifest.prepare(release_name=params.release, progress=progress, fence=run.fence)
    return {"sha256": made.sha256, "files": made.files, "bytes": made.bytes}


KIND = Kind("manifest", "prepare downloads", Job.Queue.IO, ManifestParams, prepare)
