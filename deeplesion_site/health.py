"""What machines ask: does the process live, and can it work?"""

import shutil
import tempfile
from collections.abc import Callable
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from datasets import storage

BROKER_TIMEOUT_S = 2
LEAST_FREE_BYTES = 200 << 20
"""With less on the disk, work would stop half-way."""


@require_safe
@never_cache
def live(request: HttpRequest) -> HttpResponse:
    """Answer as long as the process does; asks nothing else, so that a broken database does not restart the site."""
    return HttpResponse("live\n", content_type="text/plain")


@require_safe
@never_cache
def ready(request: HttpRequest) -> JsonResponse:
    """200 when database, broker and storage can be used, else 503; says which, and nothing more to nobody known."""
    found = state()
    return JsonResponse(found, status=200 if all(found.values()) else 503)


def state() -> dict[str, bool]:
    """Whether each part that the site stands on can be used."""
    return {name: _works(check) for name, check in CHECKS.items()}


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _broker() -> None:
    with current_app.connection_for_write(connect_timeout=BROKER_TIMEOUT_S) as broker:
        broker.ensure_connection(max_retries=1, interval_start=0, interval_max=0)


def _storage() -> None:
    with tempfile.TemporaryFile(dir=settings.DATA_DIR) as file:
        file.write(b"x")
    if shutil.disk_usage(settings.DATA_DIR).free < LEAST_FREE_BYTES:
        raise OSError("the disk is full")
    if (bucket := storage.bucket()) is not None:
        bucket.check()


CHECKS: dict[str, Callable[[], Any]] = {"database": _database, "broker": _broker, "storage": _storage}


def _works(check: Callable[[], Any]) -> bool:
    try:
        check()
    except Exception:
        return False
    return True
