"""A curator's verdict on a lesion. Verdicts are added, never changed: the latest counts."""

from typing import Any

from datasets.models import Lesion, Review

_LONGEST_NOTE = 1000


class BadReview(ValueError):
    """The verdict cannot be recorded as it was given."""


def review_lesion(*, lesion: Lesion, reviewer: Any, verdict: str, note: str = "") -> Review:
    """Record what a person says of a lesion.

    Parameters
    ----------
    verdict : one of `Review.Verdict`.
    note : up to 1000 characters.

    Raises
    ------
    BadReview : no such verdict, or the note is too long.
    """
    note = note.strip()
    if verdict not in Review.Verdict.values:
        raise BadReview("Choose one of the verdicts.")
    if len(note) > _LONGEST_NOTE:
        raise BadReview(f"A note has at most {_LONGEST_NOTE} characters, this one has {len(note)}.")
    return Review.objects.create(lesion=lesion, reviewer=reviewer, verdict=verdict, note=note)
