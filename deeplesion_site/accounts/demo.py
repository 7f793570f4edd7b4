"""The demo's accounts: one per role."""

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

DEMO_ACCOUNTS = {"researcher": "read-lesions", "curator": "judge-lesions", "admin": "keep-lesions"}
"""Name, also the role, and password. They open a demo that listens on this machine alone."""


def create_demo_accounts() -> None:
    """Create what is not there yet; a changed password stays."""
    for role in DEMO_ACCOUNTS:
        user, created = get_user_model().objects.get_or_create(username=role)
        if created:
            user.set_password(DEMO_ACCOUNTS[role])
            user.save()
        user.groups.add(Group.objects.get(name=role))
