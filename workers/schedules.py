"""Harvests that come again: Celery beat knocks every minute, and what is due becomes an ordinary job.

Any number of beats may knock, and a knock may come twice or late: a schedule's row is locked, says when it is due, and
names the job by that moment, so each moment gives one job or one sentence on why there is none. Times are the
database's own.
"""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from datasets.services.errors import Refused
from workers import engine
from workers.engine.statements import after
from workers.errors import JobRefused
from workers.kinds import harvest
from workers.models import LEFT_OUT, HarvestSchedule, Job

logger = logging.getLogger(__name__)

LONGEST_HOURS = 24 * 31
OUTCOME_CHARACTERS = 100
LATE = timedelta(minutes=5)
"""Several knocks have come by then, if any come."""


class BadSchedule(Refused):
    """A harvest cannot come again like this."""


def plan(
    *, params: Mapping[str, Any], every_hours: int, first: datetime | None = None, owner: Any = None
) -> HarvestSchedule:
    """Let a harvest come again, of what changed since the one before.

    Parameters
    ----------
    params : as `harvesting.params_of` gives them for an order with `since_last`.
    first : when it comes for the first time; None for at once.

    Raises
    ------
    BadSchedule
    """
    if not 1 <= every_hours <= LONGEST_HOURS:
        raise BadSchedule(f"a harvest comes again after 1 to {LONGEST_HOURS} hours")
    if params["accession_numbers"] or params["documents"]:
        # They name patients, so they are forgotten once they are harvested.
        raise BadSchedule("a list of accession numbers or files with annotations are harvested once, not again")
    if not params["since_last"]:
        raise BadSchedule("a harvest that comes again takes what changed since the last one")
    harvest.KIND.read(params)
    with transaction.atomic():
        values = {"every_hours": every_hours, "owner": owner, "enabled": True}
        known = HarvestSchedule.objects.select_for_update().filter(order=params["order"]).first()
        if known is None:
            known = HarvestSchedule.objects.create(
                order=params["order"], params=dict(params), next_run=first or Now(), **values
            )
        else:
            HarvestSchedule.objects.filter(pk=known.pk).update(next_run=first or Now(), **values)
    return HarvestSchedule.objects.get(pk=known.pk)


@transaction.atomic
def switch(*, pk: int, on: bool) -> tuple[HarvestSchedule, bool]:
    """Let a schedule run or rest; gives it, and whether that was new. What was missed meanwhile comes once.

    Raises
    ------
    HarvestSchedule.DoesNotExist
    """
    schedule = HarvestSchedule.objects.select_for_update().get(pk=pk)
    changed = schedule.enabled != on
    schedule.enabled = on
    schedule.save(update_fields=["enabled"])
    return schedule, changed


def overdue() -> QuerySet[HarvestSchedule]:
    """Those that should have come minutes ago: nobody knocks, or no worker takes the knock."""
    return HarvestSchedule.objects.filter(enabled=True, next_run__lt=after(-LATE))


def tick() -> list[Job]:
    """Queue every harvest that is due; gives the new jobs."""
    due = HarvestSchedule.objects.filter(enabled=True, next_run__lte=Now())
    return [job for pk in list(due.values_list("pk", flat=True)) if (job := _run(pk)) is not None]


@transaction.atomic
def _run(pk: int) -> Job | None:
    locked = HarvestSchedule.objects.select_for_update().filter(pk=pk, enabled=True, next_run__lte=Now())
    schedule = locked.annotate(now=Now()).first()
    if schedule is None:
        return None
    moment, now = schedule.next_run, vars(schedule)["now"]
    every = timedelta(hours=schedule.every_hours)
    schedule.next_run = moment + every * ((now - moment) // every + 1)
    schedule.last_run = now
    key = f"schedule-{schedule.pk}-{moment.isoformat()}"
    before = schedule.last_job
    job = before if before is not None and before.unfinished else None
    new: list[Job] = []
    try:
        if job is None:
            job = engine.enqueue(
                kind=harvest.KIND.name, params=schedule.params, owner=schedule.owner, key=key, on_new=new.append
            )
    except JobRefused as refused:
        # Those that are due after it must not wait for what cannot be done.
        schedule.outcome = f"{LEFT_OUT}{refused}"[:OUTCOME_CHARACTERS]
        logger.warning("schedule %d is left out: no job can be made of it", schedule.pk)
    else:
        if new:
            schedule.last_job = job
            schedule.outcome = f"queued job {job.pk}"
        else:
            schedule.outcome = f"{LEFT_OUT}job {job.pk} was still at it"
            logger.warning("schedule %d is left out this time: job %d is still at it", schedule.pk, job.pk)
    schedule.save(update_fields=["next_run", "last_run", "last_job", "outcome"])
    return job if new else None
