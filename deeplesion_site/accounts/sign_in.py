"""Signing in and being locked out are logged."""

from typing import Any

from axes.signals import user_locked_out
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver

from deeplesion_site.accounts import audit
from deeplesion_site.accounts.models import Action


@receiver(user_logged_in)
def log_sign_in(user: Any, **_: Any) -> None:
    audit.record(user, Action.SIGNED_IN)


@receiver(user_locked_out)
def log_lock_out(username: str | None = None, ip_address: str | None = None, **_: Any) -> None:
    """Only the name of an account is written down: people type passwords into the field for the name."""
    known = User.objects.filter(username=username).values_list("username", flat=True).first() if username else None
    audit.record(None, Action.LOCKED_OUT, known or "", **({"address": ip_address} if ip_address else {}))
