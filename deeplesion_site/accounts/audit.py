"""The audit log: what is written, and what an administrator reads."""

from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from deeplesion_site.accounts.models import Action, AuditEntry

FOLDED = timedelta(hours=1)
"""What nobody known downloads once more within this time is in the log already: nobody could be asked about it, and
whoever repeats it without end would fill the disk."""


def record(actor: Any, action: Action, subject: str = "", **details: Any) -> AuditEntry:
    """Write down what an account did; inside the transaction of the deed, so that neither is without the other.

    A file that nobody known downloads stands in the log once an hour.
    """
    known = actor if actor is not None and actor.is_authenticated else None
    wanted = {"actor": known, "action": action, "subject": subject[:200], "details": details}
    if known is None and action == Action.DOWNLOADED and (before := _lately(wanted)) is not None:
        return before
    return AuditEntry.objects.create(**wanted)


def _lately(wanted: dict[str, Any]) -> AuditEntry | None:
    since = timezone.now() - FOLDED
    # Newest first by an index, and no more than what was logged for nobody known within the hour.
    for entry in AuditEntry.objects.filter(actor=None, action=wanted["action"]).order_by("-id").iterator(200):
        if entry.at < since:
            break
        if {name: getattr(entry, name) for name in wanted} == wanted:
            return entry
    return None


def entries() -> QuerySet[AuditEntry]:
    """The whole log, newest first."""
    return AuditEntry.objects.select_related("actor").order_by("-id")
