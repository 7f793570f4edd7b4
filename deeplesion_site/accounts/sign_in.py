"""Signing in: what opens no site that others reach; that and being locked out are logged."""

from typing import Any

from axes.signals import user_locked_out
from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.core.exceptions import ValidationError
from django.dispatch import receiver

from deeplesion_site.accounts import audit
from deeplesion_site.accounts.demo import DEMO_ACCOUNTS
from deeplesion_site.accounts.models import Action


class SignIn(AuthenticationForm):
    """Name and password of an account; those that the demo prints for everybody open a demo alone."""

    error_messages = {
        **AuthenticationForm.error_messages,
        "invalid_login": "Name and password do not match an account.",
    }

    def confirm_login_allowed(self, user: Any) -> None:
        super().confirm_login_allowed(user)
        name = user.get_username()
        if settings.PRODUCTION and self.cleaned_data["password"] == DEMO_ACCOUNTS.get(name):
            raise ValidationError(
                f"This password is the demo's, which everybody knows. Set another one: manage.py changepassword {name}"
            )


@receiver(user_logged_in)
def log_sign_in(user: Any, **_: Any) -> None:
    audit.record(user, Action.SIGNED_IN)


@receiver(user_locked_out)
def log_lock_out(username: str | None = None, ip_address: str | None = None, **_: Any) -> None:
    """Only the name of an account is written down: people type passwords into the field for the name."""
    known = User.objects.filter(username=username).values_list("username", flat=True).first() if username else None
    audit.record(None, Action.LOCKED_OUT, known or "", **({"address": ip_address} if ip_address else {}))
