"""The data-use agreement: one text, signed by each account once for each release before it downloads."""

import hashlib
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from datasets.models import Release
from deeplesion_site.accounts import audit
from deeplesion_site.accounts.models import Action, Agreement


class NotSigned(Exception):
    """The agreement cannot be taken as signed; the message says what is missing."""


def text() -> str:
    """The text in force, from the file that DATA_USE_AGREEMENT names; paragraphs with empty lines between them."""
    return Path(settings.DATA_USE_AGREEMENT).read_text(encoding="utf-8").strip()


def text_hash() -> str:
    """SHA-256 of the text in force: another text has to be signed again."""
    return hashlib.sha256(text().encode()).hexdigest()


def of(user: Any) -> QuerySet[Agreement]:
    """What an account has signed, newest first."""
    return Agreement.objects.filter(signer_id=user.pk).select_related("release")


def has_signed(user: Any, release: Release) -> bool:
    """Whether an account may download a release."""
    if not user.is_authenticated:
        return False
    return Agreement.objects.filter(signer=user, release=release, text_hash=text_hash()).exists()


def sign(*, user: Any, release: Release, full_name: str, institution: str, agrees: bool) -> Agreement:
    """Sign the text in force; signing it again gives the first signature.

    Raises
    ------
    NotSigned
    """
    full_name, institution = full_name.strip()[:120], institution.strip()[:160]
    if not full_name or not institution:
        raise NotSigned("Give your full name and your institution.")
    if not agrees:
        raise NotSigned("Confirm that you have read the agreement and will keep to it.")
    with transaction.atomic():
        signed, new = Agreement.objects.get_or_create(
            signer=user,
            release=release,
            text_hash=text_hash(),
            defaults={"full_name": full_name, "institution": institution},
        )
        if new:
            audit.record(user, Action.AGREED, f"release {release.name}", text=signed.text_hash[:12])
    return signed
