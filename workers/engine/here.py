"""Jobs of a command: done by a worker where one is at work, else here and now, by the same path."""

import os
import socket
import time

from django.db.models import F
from django.db.models.functions import Now

from workers.engine import ask, lease
from workers.engine.attempt import Attempt
from workers.engine.perform import this_process, work
from workers.engine.statements import after
from workers.engine.sweep import take_back
from workers.models import Job, Worker
from workers.run import Shown, Told

LOOK_EVERY_S = 0.2


def worker_at_work(queue: str) -> bool:
    """Whether a worker that serves a queue has given a sign of life lately."""
    lately = Worker.objects.filter(seen__gt=after(-lease.length() / 2), seen__lte=Now())
    return any(queue in queues for queues in lately.values_list("queues", flat=True))


def wait_for(job: Job, shown: Shown | None = None, told: Told | None = None) -> Job:
    """Return a job when it is finished; it is run here as soon as no worker serves its queue. Ctrl-C cancels that.

    Raises
    ------
    Exception : what made the job fail, where it ran here.
    """
    while job.unfinished:
        if not worker_at_work(job.queue):
            _end_lease_of_the_dead(job)
            take_back()
            _try_here(job, shown, told)
        job.refresh_from_db()
        if job.unfinished:
            # Another process has it, or a retry's moment has not come.
            if shown is not None and job.unit:
                shown(job.done, job.total or None, job.unit)
            time.sleep(LOOK_EVERY_S)
    return job


def _end_lease_of_the_dead(job: Job) -> None:
    """A process of this machine that is gone keeps nobody waiting; that it was killed costs no attempt."""
    host, _, process = job.worker.rpartition(":")
    if job.state in Job.HELD and host == socket.gethostname() and not _alive(int(process)):
        held = Job.objects.filter(pk=job.pk, attempt=job.attempt, state__in=Job.HELD, worker=job.worker)
        held.update(lease_until=Now(), attempts_allowed=F("attempts_allowed") + 1)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _try_here(job: Job, shown: Shown | None, told: Told | None) -> None:
    claim = lease.claim(job.pk, this_process())
    if claim is not None:
        try:
            work(Attempt(claim, shown, told, watched=True))
        except KeyboardInterrupt:
            ask.cancel(job.pk)
            raise
