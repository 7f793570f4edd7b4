"""Pack a release as the zip that the site serves: checked, with a length and a SHA-256 that are known beforehand."""

from dataclasses import dataclass
from typing import Any

from datasets.services import archive
from datasets.services.errors import Refused
from workers.errors import Cancelled
from workers.exported import InUse, alone_in, published
from workers.kind import Kind
from workers.models import Job
from workers.params import Params, ReleaseName
from workers.run import Run


@dataclass(frozen=True)
class ExportParams(Params):
    release: ReleaseName


def export(params: ExportParams, run: Run) -> dict[str, Any]:
    """Pack, unless it is packed; what is given up leaves nothing, what another worker takes over goes on."""
    release = published(params.release)
    path = archive.path_of(release.name)
    with alone_in(path.with_name(f".{path.name}.lock")):
        try:
            made = archive.pack(release, progress=run.progress, fence=run.fence)
        except (Cancelled, Refused, OSError):
            archive.discard(release.name)
            raise
    return {"file": made.path.name, "bytes": made.bytes, "sha256": made.sha256}


KIND = Kind("export", "pack release", Job.Queue.IO, ExportParams, export, transient=(InUse,))
