"""The data-use agreement: one text, signed by each account once for each release before it downloads."""

import hashlib
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.urls import reverse

from datasets.models import Lesion, Release
from datasets.selectors.visibility import Visibility, members
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


def first_unsigned(user: Any, lesions: QuerySet[Lesion], visibility: Visibility) -> Release | None:
    """A release that an account has to sign for before it gets all of these lesions; None where it may have them.

    Each lesion that is of a release has to be of one that the account signed for; one that is of none needs nothing.
    """
    signed = Agreement.objects.filter(signer_id=user.pk, text_hash=text_hash()).values("release")
    held = members(visibility).filter(lesion=OuterRef("pk"))
    bare = lesions.filter(Exists(held)).exclude(Exists(held.filter(release__in=signed))).order_by()
    for lesion in bare.values_list("pk", flat=True)[:1]:
        newest = members(visibility).filter(lesion=lesion).select_related("release").order_by("-release_id")
        return newest[0].release
    return None


def sentence(release: Release) -> str:
    """What somebody is told who has not signed for a release."""
    return f"Sign the data-use agreement of this release first, at {reverse('agreement', args=[release.name])}."


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
