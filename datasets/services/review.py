"""A curator's verdicts: added, never changed; the latest that was not taken back stands.

Whoever gives a verdict says which one they saw last. If another stands by then, nothing is written and they are told,
so that of two people neither overwrites the other without knowing.
"""

from typing import Any

from django.db import transaction
from django.db.models import Max

from datasets.models import STANDING_REVIEW, Collection, Lesion, Proposal, Review, Series
from datasets.services.curate import tidy
from datasets.services.errors import Refused
from datasets.services.merging import Marks
from datasets.thresholds import in_force

LONGEST_NOTE = 1000

ON_PAIRS = (Review.Verdict.SPLIT, *Review.OF_PROPOSALS)
"""Verdicts that join or part lesions."""


class BadReview(Refused):
    """The verdict cannot be recorded as it was given."""


class JudgedMeanwhile(Refused):
    """Somebody else's verdict came first; `latest` is the last one's id."""

    def __init__(self, latest: Review) -> None:
        self.latest = latest
        super().__init__(
            f"{latest.reviewer.get_username()} was faster: “{latest.get_verdict_display()}”. "
            "Nothing of yours was recorded; look again."
        )


class NotThereAnyMore(Refused):
    """What was to be judged was merged, parted or withdrawn meanwhile."""


def latest_review(subject: Lesion | Proposal) -> int:
    """The id of the newest review of a lesion or proposal, whatever it says; 0 without any."""
    return subject.reviews.aggregate(last=Max("pk"))["last"] or 0


@transaction.atomic
def review_lesion(*, lesion: Lesion, reviewer: Any, verdict: str, seen: int, note: str = "") -> Review:
    """Record what a person says of a lesion.

    Parameters
    ----------
    verdict : one of `Review.OF_LESIONS`; `split` is for averages and parts them.
    seen : the newest review that the person knew of, see `latest_review`.
    note : up to 1000 characters.

    Raises
    ------
    BadReview : no such verdict, or the note is too long. JudgedMeanwhile : there is a newer one.
    NotThereAnyMore : the lesion is part of another by now, or an average that was dissolved.
    """
    note = _checked(verdict, Review.OF_LESIONS, note)
    series = _lock(lesion)
    current = Lesion.objects.get(pk=lesion.pk)
    if verdict == Review.Verdict.SPLIT and not current.sources.exists():
        raise BadReview("Only what was merged can be parted.")
    _nobody_was_faster(current, seen)
    if current.merged_into_id is not None or current.dissolved:
        raise NotThereAnyMore("This mark does not stand for itself any more: it was merged, or parted, meanwhile.")
    made = Review.objects.create(lesion=current, reviewer=reviewer, verdict=verdict, note=note)
    _settle(series, verdict)
    return made


@transaction.atomic
def review_proposal(*, proposal: Proposal, reviewer: Any, verdict: str, seen: int, note: str = "") -> Review:
    """Record whether two lesions are one; if so they are merged at once.

    Parameters
    ----------
    verdict : one of `Review.OF_PROPOSALS`; `seen` and `note` as for a lesion.

    Raises
    ------
    BadReview, JudgedMeanwhile, NotThereAnyMore : as for a lesion.
    """
    note = _checked(verdict, Review.OF_PROPOSALS, note)
    series = _lock(proposal.first)
    current = Proposal.objects.select_related("first", "second").get(pk=proposal.pk)
    _nobody_was_faster(current, seen)
    if any(each.merged_into_id is not None or each.dissolved for each in (current.first, current.second)):
        raise NotThereAnyMore("One of the two was merged or parted meanwhile.")
    made = Review.objects.create(proposal=current, reviewer=reviewer, verdict=verdict, note=note)
    _settle(series, verdict)
    if verdict == Review.Verdict.MERGE and _apart(series, current):
        raise BadReview("These two cannot be merged: marks among them were said not to be the same.")
    return made


@transaction.atomic
def undo(*, review: Review, reviewer: Any, note: str = "") -> Review:
    """Take back the verdict that stands; the one before it stands again, if there is one.

    Raises
    ------
    NotThereAnyMore : it was taken back already, or a later verdict stands.
    BadReview : the note is too long.
    """
    note = _checked(Review.Verdict.WITHDRAWN, (Review.Verdict.WITHDRAWN,), note)
    subject = review.lesion or (review.proposal.first if review.proposal else None)
    if subject is None or review.verdict == Review.Verdict.WITHDRAWN:
        raise NotThereAnyMore("Only a verdict can be taken back.")
    series = _lock(subject)
    standing = Review.objects.filter(STANDING_REVIEW, lesion=review.lesion_id, proposal=review.proposal_id)
    if standing.values_list("pk", flat=True).first() != review.pk:
        raise NotThereAnyMore("This verdict does not stand any more: it was taken back, or a later one was given.")
    made = Review.objects.create(
        lesion=review.lesion,
        proposal=review.proposal,
        reviewer=reviewer,
        verdict=Review.Verdict.WITHDRAWN,
        undoes=review,
        note=note,
    )
    _settle(series, review.verdict)
    return made


def _checked(verdict: str, allowed: tuple[str, ...], note: str) -> str:
    note = note.strip()
    if verdict not in allowed:
        raise BadReview("Choose one of the verdicts.")
    if len(note) > LONGEST_NOTE:
        raise BadReview(f"A note has at most {LONGEST_NOTE} characters, this one has {len(note)}.")
    return note


def _lock(lesion: Lesion) -> Series:
    """Whoever judges anything in a series waits for whoever does so just now; SQLite lets one write at a time."""
    return (
        Series.objects.select_for_update(of=("self",))
        .select_related("study__patient__collection")
        .get(slices__lesions=lesion.pk)
    )


def _nobody_was_faster(subject: Lesion | Proposal, seen: int) -> None:
    if latest_review(subject) != seen:
        raise JudgedMeanwhile(subject.reviews.select_related("reviewer").latest("pk"))


def _settle(series: Series, verdict: str) -> None:
    """Join and part what the verdict joins and parts."""
    if verdict in ON_PAIRS and series.study.patient.collection.kind == Collection.Kind.HOSPITAL:
        tidy(series.pk, in_force())


def _apart(series: Series, proposal: Proposal) -> bool:
    found = Marks.of(series)
    heads = {found.head(mark) for pk in (proposal.first_id, proposal.second_id) for mark in found.parts(pk)}
    return len(heads) > 1
