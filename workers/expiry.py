"""What nobody needs any more: orders of harvests, and what jobs have left that succeeded or were given up.

Apart from `harvesting`, on which the engine's kinds rest.
"""

import shutil
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from datasets.services.harvest.order import older_than
from workers.engine.statements import after
from workers.harvesting import let_go, orders
from workers.models import Job

KEPT_FOR = timedelta(days=7)
"""How long an order is kept that is not done for real, and what a job that was given up would go on from."""

GONE = ".gone-"
"""How the name of a folder begins that is being removed."""


def expire() -> None:
    """Remove what nobody needs any more."""
    _orders()
    _folders()


def _folders() -> None:
    """Remove what jobs went on from that have succeeded, or were given up and not tried again for a week.

    Who is done removes it himself, unless the worker is lost in that moment.
    """
    jobs = Path(settings.DATA_DIR) / "jobs"
    found = {int(path.name): path for path in jobs.glob("*") if path.name.isdecimal()}
    given_up = Q(state__in=(Job.State.FAILED, Job.State.CANCELLED), finished__lte=after(-KEPT_FOR))
    over = Job.objects.filter(Q(state=Job.State.SUCCEEDED) | given_up, pk__in=found)
    for job_id in list(over.values_list("pk", flat=True)):
        with transaction.atomic():
            # Who wants it tried again waits for no more than this, and then finds nothing rather than a part of it.
            if over.select_for_update().filter(pk=job_id).exists():
                with suppress(OSError):
                    found[job_id].rename(found[job_id].with_name(f"{GONE}{job_id}"))
    for folder in jobs.glob(f"{GONE}*"):
        shutil.rmtree(folder, ignore_errors=True)


def _orders() -> None:
    """Remove orders that nobody asked for, and no job had, for a week, in which a dry run can be done for real."""
    for name in older_than(KEPT_FOR, orders()):
        jobs = Job.objects.filter(kind="harvest", params__order=name)
        if not jobs.filter(Q(finished=None) | Q(finished__gt=after(-KEPT_FOR))).exists():
            let_go(name)
