"""What a Celery worker does beside its tasks: say that it is there, sweep, hand work back when it is ended."""

import logging
import os
import socket
import threading
from collections.abc import Iterable
from typing import Any

from celery.signals import worker_ready, worker_shutting_down
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models.functions import Now

from workers.engine import shutdown
from workers.engine.lease import after, length
from workers.engine.sweep import sweep
from workers.expiry import expire
from workers.models import Worker

logger = logging.getLogger(__name__)

BEATS = 6
"""In the length of a lease."""

FORGOTTEN_AFTER = 20
"""Leases after which a worker that ended without a word is forgotten."""


class Pulse(threading.Thread):
    """Beats in the worker's main process until the worker ends."""

    def __init__(self, queues: Iterable[str], processes: int) -> None:
        super().__init__(name="pulse", daemon=True)
        self.worker = f"{socket.gethostname()}:{os.getpid()}"[:128]
        self.facts = {"queues": sorted(queues), "processes": processes}
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.is_set():
            try:
                self.beat()
                sweep()
                expire()
            except DatabaseError as error:
                logger.warning("the database does not answer (%s)", type(error).__name__)
                connection.close()
            except Exception:
                # Without its pulse a worker would be taken for lost, so that no surprise may end it.
                logger.exception("the sweep failed")
            self.ended.wait(settings.JOB_LEASE_SECONDS / BEATS)
        try:
            Worker.objects.filter(name=self.worker).delete()
        except DatabaseError as error:
            logger.warning("the worker's row stays (%s)", type(error).__name__)
        connection.close()

    def beat(self) -> None:
        """Give a sign of life."""
        Worker.objects.update_or_create(name=self.worker, defaults={**self.facts, "seen": Now()})
        Worker.objects.filter(seen__lt=after(-FORGOTTEN_AFTER * length())).delete()


_pulses: list[Pulse] = []


@worker_ready.connect
def begin(sender: Any, **_: Any) -> None:
    """Start the pulse of a worker that is ready."""
    queues = sender.app.amqp.queues.consume_from
    _pulses.append(Pulse(queues, sender.controller.concurrency))
    _pulses[-1].start()


@worker_shutting_down.connect
def end(**_: Any) -> None:
    """Let work in hand go back to the queue, and stop the pulse."""
    shutdown.begin()
    for pulse in _pulses:
        pulse.ended.set()
