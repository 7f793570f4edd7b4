"""What an administrator does with accounts: create one, change its role, give it a new password, lock it."""

import secrets
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import QuerySet

from deeplesion_site.access import GROUPS, Role
from deeplesion_site.accounts import audit, tokens
from deeplesion_site.accounts.models import Action

NAME_LENGTH = 60


class BadAccount(Exception):
    """An account cannot be made or changed so; the message says why."""


def people() -> QuerySet[User]:
    """All accounts by name, with their groups."""
    return User.objects.prefetch_related("groups").order_by("username")


def find(pk: int) -> User | None:
    """One account."""
    return User.objects.filter(pk=pk).first()


def create(*, name: str, role: str, by: Any) -> tuple[User, str]:
    """Make an account and give it with its first password, which is shown once.

    Raises
    ------
    BadAccount
    """
    name = name.strip()
    if not name or len(name) > NAME_LENGTH or not name.replace(".", "").replace("-", "").replace("_", "").isalnum():
        raise BadAccount("An account's name has up to 60 letters, digits, dots, dashes and underscores.")
    if role not in GROUPS:
        raise BadAccount(f"The role is one of {', '.join(GROUPS)}.")
    if get_user_model().objects.filter(username__iexact=name).exists():
        raise BadAccount(f"There is an account {name} already.")
    password = secrets.token_urlsafe(12)
    with transaction.atomic():
        user = User.objects.create_user(username=name, password=password)
        user.groups.add(Group.objects.get(name=role))
        audit.record(by, Action.ACCOUNT_CREATED, name, role=role)
    return user, password


def change(*, user: User, role: str, active: bool, by: Any) -> None:
    """Give an account another role, lock it or open it again; its tokens work no longer while it is locked.

    Raises
    ------
    BadAccount : an administrator would shut himself out.
    """
    if role not in GROUPS:
        raise BadAccount(f"The role is one of {', '.join(GROUPS)}.")
    if user == by and (not active or role != Role.ADMIN):
        raise BadAccount("You cannot lock yourself or give up your own role; another administrator can.")
    with transaction.atomic():
        user.groups.set([*user.groups.exclude(name__in=map(str, GROUPS)), Group.objects.get(name=role)])
        # Whoever was made by `createsuperuser` is an administrator by that, whatever the groups say.
        superuser = user.is_superuser and role == Role.ADMIN
        User.objects.filter(pk=user.pk).update(is_active=active, is_superuser=superuser)
        audit.record(by, Action.ACCOUNT_CHANGED, user.get_username(), role=role, active=active)


def new_password(*, user: User, by: Any) -> str:
    """Replace a forgotten password; the new one is shown once, and every session and token of the account ends."""
    password = secrets.token_urlsafe(12)
    with transaction.atomic():
        user.set_password(password)
        user.save(update_fields=["password"])
        revoked = tokens.revoke_all(owner=user, by=by)
        audit.record(by, Action.ACCOUNT_CHANGED, user.get_username(), replaced=["password"], tokens_revoked=revoked)
    return password


def own_password(*, user: User, password: str) -> None:
    """Give an account the password that its owner has chosen; its other sessions end, its tokens stay."""
    with transaction.atomic():
        user.set_password(password)
        user.save(update_fields=["password"])
        audit.record(user, Action.ACCOUNT_CHANGED, user.get_username(), replaced=["password"])
