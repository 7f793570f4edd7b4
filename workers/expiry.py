"""Orders of harvests that nobody needs any more. Apart from `harvesting`, on which the engine's kinds rest."""

from datetime import timedelta

from django.db.models import Q

from datasets.services.harvest.order import older_than
from workers.engine.statements import after
from workers.harvesting import let_go, orders
from workers.models import Job

KEPT_FOR = timedelta(days=7)
"""How long an order is kept that is not done for real."""


def expire() -> None:
    """Remove orders that nobody asked for, and no job had, for a week, in which a dry run can be done for real."""
    for name in older_than(KEPT_FOR, orders()):
        jobs = Job.objects.filter(kind="harvest", params__order=name)
        if not jobs.filter(Q(finished=None) | Q(finished__gt=after(-KEPT_FOR))).exists():
            let_go(name)
