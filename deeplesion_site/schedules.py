"""Scheduled harvests as administrators make and switch them; it is in the audit log or it did not happen."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from deeplesion_site import harvest_wish
from deeplesion_site.accounts import audit
from deeplesion_site.accounts.models import Action
from workers import schedules
from workers.models import HarvestSchedule


def plan(*, params: Mapping[str, Any], every_hours: int, first: datetime | None, by: Any) -> HarvestSchedule:
    """Let a harvest come again.

    Raises
    ------
    InvalidParams, BadSchedule : nothing was planned.
    """
    known = harvest_wish.params_of({**params, "since_last": True, "dry_run": False})
    with transaction.atomic():
        made = schedules.plan(params=known, every_hours=every_hours, first=first, owner=by)
        audit.record(by, Action.JOB_STARTED, f"schedule {made.pk}", kind="harvest", every_hours=every_hours)
    return made


def switch(*, pk: int, on: bool, by: Any) -> HarvestSchedule:
    """Let a schedule run, or rest; asking again changes nothing.

    Raises
    ------
    HarvestSchedule.DoesNotExist
    """
    with transaction.atomic():
        schedule, changed = schedules.switch(pk=pk, on=on)
        if changed:
            audit.record(by, Action.JOB_STARTED if on else Action.JOB_CANCELLED, f"schedule {pk}", kind="harvest")
    return schedule
