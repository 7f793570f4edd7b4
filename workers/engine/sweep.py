"""What no worker has any more goes back to the queue, and what the broker may have lost is sent again.

Every worker sweeps, as often as it gives its sign of life, in its main process: a sweep that came as a message would
wait behind the very work that it is to watch, and need the broker that may be what broke. Any number may sweep.
"""

import logging
from typing import Any

from celery import current_app
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from kombu.exceptions import ChannelError, OperationalError

from workers.engine import ask
from workers.engine.lease import DUE, length
from workers.engine.perform import LONGEST_DELAY
from workers.engine.statements import after, record
from workers.engine.unattended import tell_kind
from workers.models import Job, JobEvent

logger = logging.getLogger(__name__)

State, Event = Job.State, JobEvent.Kind


def sweep() -> None:
    """Take back what lost workers had, and send what waits and may have no message."""
    take_back()
    _after_the_clock_went_back()
    for queue in Job.Queue:
        if not _send(queue):
            return


def take_back() -> None:
    """End the leases that have run out."""
    lost = Job.objects.filter(state__in=Job.HELD, lease_until__lte=Now())
    for job_id, attempt in list(lost.order_by("pk").values_list("pk", "attempt")):
        _take_back(job_id, attempt)


def _take_back(job_id: int, attempt: int) -> None:
    with transaction.atomic():
        lost = Job.objects.filter(pk=job_id, attempt=attempt, state__in=Job.HELD, lease_until__lte=Now())
        job = lost.select_for_update().first()
        if job is None:
            return
        record(job_id, Event.WORKER_LOST, attempt, f"{job.worker} gave no sign of life")
        values: dict[str, Any] = {"state": State.QUEUED, "published": None}
        if job.state == State.CANCELLING:
            values = {"state": State.CANCELLED, "finished": Now()}
            record(job_id, Event.CANCELLED, attempt)
        elif attempt >= job.attempts_allowed:
            message = f"Its worker was lost. Given up after {attempt} attempts."
            values = {"state": State.FAILED, "finished": Now(), "message": message}
            record(job_id, Event.FAILED, attempt, message)
        Job.objects.filter(pk=job_id).update(lease_until=None, **values)
        if values["state"] != State.QUEUED:
            tell_kind(job, values["state"], values.get("message", ""))


def _after_the_clock_went_back() -> None:
    """Shorten what reaches further than it ever may: the database's clock was set back."""
    jobs = Job.objects.order_by()
    jobs.filter(state__in=Job.HELD, lease_until__gt=after(2 * length())).update(lease_until=after(length()))
    jobs.filter(state=State.QUEUED, not_before__gt=after(2 * LONGEST_DELAY)).update(not_before=after(LONGEST_DELAY))
    jobs.filter(state=State.QUEUED, published__gt=after(length())).update(published=None)


def _send(queue: str) -> bool:
    """Send what waits in a queue; False when the broker cannot be reached.

    A job whose message is old is sent again only where the broker holds fewer messages than jobs wait: one that waits
    behind many others does not fill the broker.
    """
    waiting = Job.objects.filter(DUE, state=State.QUEUED, queue=queue).order_by("pk")
    stale = waiting.filter(Q(published__isnull=True) | Q(published__lte=after(-length())))
    jobs = list(stale.values_list("pk", "published"))
    if not jobs:
        return True
    try:
        lost = waiting.count() - depth(queue)
    except (OperationalError, OSError) as error:
        logger.warning("%d jobs wait for the broker (%s)", len(jobs), type(error).__name__)
        return False
    # Those that were never sent come first.
    for job_id, _ in sorted(jobs, key=lambda job: job[1] is not None)[: max(lost, 0)]:
        waiting.filter(pk=job_id).update(published=Now())
        if not ask.publish(job_id, queue):
            return False
    return True


def depth(queue: str) -> int:
    """How many messages wait in a queue of the broker.

    Raises
    ------
    kombu.exceptions.OperationalError, OSError : the broker cannot be reached.
    """
    with current_app.connection_for_write() as broker:
        broker.ensure_connection(max_retries=1, timeout=2)
        try:
            return int(broker.default_channel.queue_declare(queue, passive=True).message_count)
        except ChannelError:
            return 0
