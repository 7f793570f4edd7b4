"""Access tokens: issue one, find whom a secret belongs to, revoke."""

import secrets
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac

from deeplesion_site.access import SCOPES
from deeplesion_site.accounts import audit
from deeplesion_site.accounts.models import AccessToken, Action

PREFIX = "dl_"
SECRET_BYTES = 32
NAME_LENGTH = 60
SHORTEST_DAYS, LONGEST_DAYS = 1, 366
NOTED_EVERY = timedelta(minutes=1)
"""A use is written down at most this often: reading must not become writing."""


class BadToken(Exception):
    """A token cannot be made as it was asked for; the message says why."""


def issue(*, owner: Any, name: str, scopes: list[str], days: int) -> tuple[AccessToken, str]:
    """Make a token and give it with its secret, which nobody can read again.

    Raises
    ------
    BadToken
    """
    name = name.strip()
    if not name or len(name) > NAME_LENGTH or not name.isprintable():
        raise BadToken("Say in up to 60 characters what the token is for.")
    if not scopes or set(scopes) - set(SCOPES):
        raise BadToken(f"Choose at least one of the scopes {', '.join(SCOPES)}.")
    if not SHORTEST_DAYS <= days <= LONGEST_DAYS:
        raise BadToken(f"A token lives {SHORTEST_DAYS} to {LONGEST_DAYS} days.")
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    with transaction.atomic():
        token = AccessToken.objects.create(
            owner=owner,
            name=name,
            beginning=secret[:8],
            digest=_digest(secret),
            scopes=sorted(set(scopes)),
            expires=timezone.now() + timedelta(days=days),
        )
        audit.record(owner, Action.TOKEN_ISSUED, name, scopes=token.scopes, days=days)
    return token, secret


def of(user: Any) -> QuerySet[AccessToken]:
    """The tokens of an account, newest first."""
    return AccessToken.objects.filter(owner_id=user.pk)


def active() -> QuerySet[AccessToken]:
    """Everybody's tokens that work, by owner, newest first."""
    return (
        AccessToken.objects.select_related("owner")
        .filter(revoked=None, expires__gt=timezone.now(), owner__is_active=True)
        .order_by("owner__username", "-id")
    )


def find(secret: str) -> AccessToken | None:
    """The valid token that a secret belongs to; its use is noted."""
    token = AccessToken.objects.select_related("owner").filter(digest=_digest(secret), revoked=None).first()
    now = timezone.now()
    if token is None or token.expires <= now or not token.owner.is_active:
        return None
    if token.last_used is None or now - token.last_used > NOTED_EVERY:
        AccessToken.objects.filter(pk=token.pk).update(last_used=now)
    return token


def revoke(*, token: AccessToken, by: Any) -> None:
    """End a token for good; doing it twice changes nothing."""
    with transaction.atomic():
        if AccessToken.objects.filter(pk=token.pk, revoked=None).update(revoked=timezone.now()):
            audit.record(by, Action.TOKEN_REVOKED, token.name, owner=token.owner.get_username())


def revoke_all(*, owner: Any, by: Any) -> int:
    """End every token of an account that could still be used; returns how many."""
    found = list(of(owner).select_related("owner").filter(revoked=None, expires__gt=timezone.now()))
    for token in found:
        revoke(token=token, by=by)
    return len(found)


def _digest(secret: str) -> str:
    """Keyed with SECRET_KEY: who reads the database alone can neither use nor test a secret."""
    return salted_hmac("deeplesion_site.accounts.tokens", secret, algorithm="sha256").hexdigest()
