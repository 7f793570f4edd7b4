"""What nobody needs any more: orders of harvests, and what a lost worker has left of a job that succeeded.

Apart from `harvesting`, on which the engine's kinds rest.
"""

import shutil
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db.models import Q

from datasets.services.harvest.order import older_than
from workers.engine.statements import after
from workers.harvesting import let_go, orders
from workers.models import Job

KEPT_FOR = timedelta(days=7)
"""How long an order is kept that is not done for real."""


def expire() -> None:
    """Remove what nobody needs any more."""
    _orders()
    _folders()


def _folders() -> None:
    """Remove what jobs went on from that have succeeded; a worker that was lost in that moment could not."""
    found = {int(path.name): path for path in (Path(settings.DATA_DIR) / "jobs").glob("*") if path.name.isdecimal()}
    for job_id in Job.objects.filter(pk__in=found, state=Job.State.SUCCEEDED).values_list("pk", flat=True):
        shutil.rmtree(found[job_id], ignore_errors=True)


def _orders() -> None:
    """Remove orders that nobody asked for, and no job had, for a week, in which a dry run can be done for real."""
    for name in older_than(KEPT_FOR, orders()):
        jobs = Job.objects.filter(kind="harvest", params__order=name)
        if not jobs.filter(Q(finished=None) | Q(finished__gt=after(-KEPT_FOR))).exists():
            let_go(name)
