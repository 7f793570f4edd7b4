"""How the installation stands: its parts, its queues and workers, disk and graphics card. For administrators."""

import math
import shutil

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from deeplesion_site import health
from deeplesion_site.access import Right, needs
from deeplesion_site.dashboard.partial import is_partial
from workers import schedules, standing
from workers.models import Job

PARTS = {
    "database": "The database does not answer.",
    "broker": "The broker does not answer: jobs wait in the database and go on when it is back.",
    "storage": "DATA_DIR cannot be written to, its disk is full, or the bucket cannot be used: no job can finish.",
}


@require_safe
@never_cache
@needs(Right.SEE_JOBS)
def health_page(request: HttpRequest) -> HttpResponse:
    found = health.state()
    queues = standing.queues() if found["database"] else []
    workers = standing.living() if found["database"] else []
    context = {
        "parts": [(name, found[name], trouble) for name, trouble in PARTS.items()],
        "well": all(found.values()),
        "queues": queues,
        "stuck": [queue.name for queue in queues if queue.stuck],
        "overdue": schedules.overdue().count() if found["database"] else 0,
        "workers": workers,
        "disk": _disk(),
        "database": connection.display_name,
        "bucket": settings.S3_BUCKET,
        "broker": _scheme(settings.CELERY_BROKER_URL),
        "cards": standing.gpus_of([worker for worker in workers if Job.Queue.GPU in worker.queues]),
    }
    return render(request, "parts/health.html" if is_partial(request) else "health_page.html", context)


def _disk() -> dict[str, int] | None:
    """Bytes used and free, and the share used of these two, as `df` counts it: the rest is the system's own reserve.

    None where DATA_DIR is gone.
    """
    try:
        found = shutil.disk_usage(settings.DATA_DIR)
    except OSError:
        return None
    return {"used": found.used, "free": found.free, "percent": math.ceil(100 * found.used / (found.used + found.free))}


def _scheme(url: str) -> str:
    """What kind of broker it is; its address may hold a password."""
    return {"filesystem": "files in DATA_DIR"}.get(url.partition(":")[0], url.partition(":")[0].capitalize())
