"""SQLite takes one writer at a time: who asks for the end of a job may have to wait for the job's own transaction.

So a file beside the job's folder says that somebody asks, and whoever does the work gives way. Other databases need
no such thing, and a worker on another machine, whom the file would not reach, has none of SQLite.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connection

PATIENCE_S = 3.0
"""How long the work waits for whoever knocked; SQLite lets a waiting writer look ten times a second."""
LOOK_EVERY_S = 0.02


@contextmanager
def knocking(job_id: int) -> Iterator[None]:
    """Let the work on a job know that somebody waits, while the block runs."""
    if connection.vendor != "sqlite":
        yield
        return
    path = _path(job_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def heard(job_id: int) -> bool:
    """Whether somebody waits to write that a job shall end."""
    return connection.vendor == "sqlite" and _path(job_id).exists()


def give_way(job_id: int) -> None:
    """Wait until whoever knocked has written; belongs outside a transaction.

    Who does not come was killed, or waits for another writer: the work goes on, and sees by the row what came of it.
    """
    deadline = time.monotonic() + PATIENCE_S
    while heard(job_id):
        if time.monotonic() > deadline:
            _path(job_id).unlink(missing_ok=True)
            return
        time.sleep(LOOK_EVERY_S)


def _path(job_id: int) -> Path:
    return Path(settings.DATA_DIR) / "jobs" / f"{job_id}.cancel"
