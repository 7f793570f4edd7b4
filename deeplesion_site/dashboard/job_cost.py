"""What a job will cost, as far as it is cheaply known before it starts."""

import shutil
from typing import Any

from django.conf import settings
from django.template.defaultfilters import filesizeformat

from datasets.models import Lesion, Release
from deeplesion_site.dashboard.health_page import CARDS
from detection.models import TrainingRun
from workers import engine
from workers.kind import Kind
from workers.models import Job


def cost(kind: Kind[Any], params: dict[str, Any]) -> list[tuple[str, str]]:
    """Rows and slices it works on, free disk, whether a graphics card and a worker are there: name and words."""
    found = [*_size(kind, params), ("Disk free", filesizeformat(shutil.disk_usage(settings.DATA_DIR).free))]
    if kind.queue == Job.Queue.GPU:
        card = CARDS.is_dir() and any(CARDS.iterdir())
        found.append(("Graphics card", "there is one" if card else "none seen here; on a CPU it takes very long"))
    at_work = engine.worker_at_work(kind.queue)
    found.append(("Worker", f"one serves {kind.queue}" if at_work else f"none serves {kind.queue} now; the job waits"))
    return found


def _size(kind: Kind[Any], params: dict[str, Any]) -> list[tuple[str, str]]:
    if kind.name == "harvest":
        return [("Slices", "the dry run counts them" if params.get("dry_run") else "known once it runs")]
    if kind.name == "evaluate":
        name = TrainingRun.objects.filter(pk=params["run"]).values_list("release", flat=True).first()
    else:
        name = params.get("release")
    lesions = Lesion.objects.all()
    if "collection" in params:
        lesions = lesions.filter(slice__series__study__patient__collection__slug=params["collection"])
    else:
        lesions = lesions.filter(pk__in=Release.objects.filter(name=name).values("members__lesion"))
    slices = lesions.order_by().values("slice").distinct().count()
    count = lesions.count()
    rows = f"{count:,} lesion{'' if count == 1 else 's'}"
    return [("Rows", rows), ("Slices", f"{slices:,} with a lesion, and those around them")]
