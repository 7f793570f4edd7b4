"""What a Celery worker does beside its tasks: say that it is there, sweep, hand work back when it is ended."""

import logging
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from celery.signals import worker_ready, worker_shutting_down
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models.functions import Now

from workers import devices
from workers.engine import shutdown
from workers.engine.lease import length
from workers.engine.statements import after
from workers.engine.sweep import sweep
from workers.expiry import expire
from workers.models import Job, Worker

logger = logging.getLogger(__name__)

BEATS = 6
"""In the length of a lease."""

FORGOTTEN_AFTER = 20
"""Leases after which a worker that ended without a word is forgotten."""


class Rhythm(threading.Thread):
    """Does something again and again, in the worker's main process until the worker ends."""

    def __init__(self, name: str, act: Callable[[], None], last: Callable[[], None] = lambda: None) -> None:
        """Repeat `act`; when the worker ends, do `last`."""
        super().__init__(name=name, daemon=True)
        self.act, self.last = act, last
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.is_set():
            self._now(self.act)
            self.ended.wait(settings.JOB_LEASE_SECONDS / BEATS)
        self._now(self.last)
        connection.close()

    def _now(self, act: Callable[[], None]) -> None:
        try:
            act()
        except DatabaseError as error:
            logger.warning("%s: the database does not answer (%s)", self.name, type(error).__name__)
            connection.close()
        except Exception:
            # Without its pulse a worker would be taken for lost, so that no surprise may end it.
            logger.exception("%s failed", self.name)


def pulse(queues: Iterable[str], processes: int) -> Rhythm:
    """What says that this worker is there, and in the end that it is gone."""
    worker = f"{socket.gethostname()}:{os.getpid()}"[:128]
    facts = {"queues": sorted(queues), "processes": processes}

    def beat() -> None:
        found = devices.known()
        now = {"gpus": found.gpus if found else None, "free_bytes": _free()}
        Worker.objects.update_or_create(name=worker, defaults={**facts, **now, "seen": Now()})
        Worker.objects.filter(seen__lt=after(-FORGOTTEN_AFTER * length())).delete()

    def forget() -> None:
        Worker.objects.filter(name=worker).delete()

    return Rhythm("pulse", beat, forget)


def _free() -> int | None:
    """Bytes free on the disk of DATA_DIR; None where it cannot be looked at, which ends no pulse."""
    with suppress(OSError):
        return shutil.disk_usage(settings.DATA_DIR).free
    return None


def tidy() -> None:
    """Sweep, and remove what has expired; the sweep may have to wait for a broker that hangs."""
    sweep()
    expire()


_rhythms: list[Rhythm] = []


@worker_ready.connect
def begin(sender: Any, **_: Any) -> None:
    """Start pulse and sweep of a worker that is ready."""
    queues = sender.app.amqp.queues.consume_from
    if Job.Queue.GPU in queues:
        # Torch takes seconds to say it: the worker is there before that.
        threading.Thread(target=devices.here, name="devices", daemon=True).start()
    # Apart from each other: a worker whose sweep waits is there all the same.
    for rhythm in (pulse(queues, sender.controller.concurrency), Rhythm("sweep", tidy)):
        _rhythms.append(rhythm)
        rhythm.start()


@worker_shutting_down.connect
def end(**_: Any) -> None:
    """Let work in hand go back to the queue, and stop pulse and sweep."""
    shutdown.begin()
    for rhythm in _rhythms:
        rhythm.ended.set()
