"""The audit log: what is written, and what an administrator reads."""

from typing import Any

from django.db.models import QuerySet

from deeplesion_site.accounts.models import Action, AuditEntry


def record(actor: Any, action: Action, subject: str = "", **details: Any) -> AuditEntry:
    """Write down what an account did; inside the transaction of the deed, so that neither is without the other."""
    known = actor if actor is not None and actor.is_authenticated else None
    return AuditEntry.objects.create(actor=known, action=action, subject=subject[:200], details=details)


def entries() -> QuerySet[AuditEntry]:
    """The whole log, newest first."""
    return AuditEntry.objects.select_related("actor").order_by("-id")
