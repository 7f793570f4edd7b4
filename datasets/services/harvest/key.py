"""Whether a key is the one under which this database was harvested: under another, everybody would be somebody new.

Then one person would have two patient numbers, and could be trained on under one and tested on under the other.
"""

from __future__ import annotations

from pathlib import Path

from datasets.models import IdentityKey, SourceIdentity
from datasets.pacs.deidentify import KeyUnusable, Pseudonymiser

WAY_OUT = "put the key's copy there, or let IDENTITY_KEY_FILE name it"


def may_be_made(path: Path) -> None:
    """Refuse to go on with a new key where somebody is known by an old one.

    Raises
    ------
    KeyUnusable
    """
    if SourceIdentity.objects.exists():
        raise KeyUnusable(
            f"the key file {path} is not there, and without it everybody who was harvested before would be taken for "
            f"somebody new; {WAY_OUT}"
        )


def check(pseudonymiser: Pseudonymiser, path: Path) -> None:
    """Refuse another key than that of the database; of one that was harvested by an earlier version, any passes.

    Raises
    ------
    KeyUnusable
    """
    known = IdentityKey.objects.first()
    if known is None or known.check_value == _check_value(pseudonymiser) or not SourceIdentity.objects.exists():
        return
    raise KeyUnusable(
        f"the key file {path} holds another key than the one under which this database was harvested, so that "
        f"everybody would be taken for somebody new; {WAY_OUT}"
    )


def remember(pseudonymiser: Pseudonymiser) -> None:
    """Let the database know its key from now on."""
    IdentityKey.objects.update_or_create(pk=1, defaults={"check_value": _check_value(pseudonymiser)})


def _check_value(pseudonymiser: Pseudonymiser) -> str:
    return pseudonymiser.digest("key", "check")
