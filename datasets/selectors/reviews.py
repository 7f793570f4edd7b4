"""The review queue: what waits for a person's verdict, what has one, and what was said of a lesion."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet, TextField
from django.db.models.functions import Cast

from datasets.models import STANDING, STANDING_REVIEW, Collection, Lesion, Proposal, Review

_PLACE = "slice__series__study__patient__collection"

KINDS = ("flagged", "pairs")
STATES = ("waiting", "judged")


@dataclass(frozen=True, slots=True)
class Wish:
    """Which part of the queue: empty means any; `reason` is one of noise, or of `Proposal.Reason`."""

    reason: str = ""
    collection: str = ""
    types: tuple[int, ...] = ()


def flagged(state: str, wish: Wish) -> QuerySet[Lesion]:
    """Lesions that may be noise, without a verdict (`waiting`) or with one (`judged`)."""
    verdicts = Review.objects.filter(STANDING_REVIEW, lesion=OuterRef("pk"))
    rows = Lesion.objects.filter(STANDING, possibly_noisy=True).filter(
        ~Exists(verdicts) if state == "waiting" else Exists(verdicts)
    )
    if wish.reason:
        # As text, because SQLite cannot look into JSON lists; reasons hold no quotes.
        rows = rows.annotate(_reasons=Cast("noise_reasons", TextField())).filter(
            _reasons__contains=f'"reason": "{wish.reason}"'
        )
    if wish.collection:
        rows = rows.filter(**{f"{_PLACE}__slug": wish.collection})
    if wish.types:
        rows = rows.filter(type__in=wish.types)
    return rows.select_related(_PLACE)


def pairs(state: str, wish: Wish) -> QuerySet[Proposal]:
    """Proposed duplicates: those that wait count on both sides, those that are judged have a verdict."""
    verdicts = Review.objects.filter(STANDING_REVIEW, proposal=OuterRef("pk"))
    if state == "waiting":
        rejected = Review.objects.filter(STANDING_REVIEW, verdict=Review.Verdict.REJECT)
        rows = Proposal.objects.filter(
            ~Exists(verdicts),
            ~Exists(rejected.filter(lesion=OuterRef("first"))),
            ~Exists(rejected.filter(lesion=OuterRef("second"))),
            first__merged_into=None,
            first__dissolved=False,
            second__merged_into=None,
            second__dissolved=False,
        )
    else:
        rows = Proposal.objects.filter(Exists(verdicts))
    if wish.reason:
        rows = rows.filter(reason=wish.reason)
    if wish.collection:
        rows = rows.filter(**{f"first__{_PLACE}__slug": wish.collection})
    if wish.types:
        rows = rows.filter(Q(first__type__in=wish.types) | Q(second__type__in=wish.types))
    return rows.select_related(f"first__{_PLACE}", f"second__{_PLACE}")


def of_kind(kind: str, state: str, wish: Wish) -> QuerySet[Any]:
    """One of `KINDS` in one of `STATES`."""
    return flagged(state, wish) if kind == "flagged" else pairs(state, wish)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the queue is: per kind what waits and what is judged, and what waits by reason."""

    waiting: dict[str, int]
    judged: dict[str, int]
    reasons: dict[str, int]

    @property
    def left(self) -> int:
        """Everything that waits."""
        return sum(self.waiting.values())

    @property
    def total(self) -> int:
        """Everything."""
        return self.left + sum(self.judged.values())

    @property
    def percent(self) -> int:
        """Share judged, 0..100."""
        return 100 * (self.total - self.left) // self.total if self.total else 100


def progress(wish: Wish) -> Progress:
    """Count a part of the queue; the reasons as if none had been chosen."""
    waiting = {kind: of_kind(kind, "waiting", wish).count() for kind in KINDS}
    judged = {kind: of_kind(kind, "judged", wish).count() for kind in KINDS}
    every = Wish("", wish.collection, wish.types)
    found: Counter[str] = Counter()
    for reasons in flagged("waiting", every).order_by().values_list("noise_reasons", flat=True).iterator():
        found.update({str(item.get("reason")) for item in reasons})
    found.update(pairs("waiting", every).order_by().values_list("reason", flat=True))
    return Progress(waiting, judged, dict(found.most_common()))


def following(kind: str, after: int, wish: Wish) -> tuple[str, int] | None:
    """The next in the queue after one: flagged lesions first, then pairs, then again from the start."""
    start = KINDS.index(kind)
    rows = {each: of_kind(each, "waiting", wish).order_by("pk").values_list("pk", flat=True) for each in KINDS}
    order = [
        (KINDS[start], rows[KINDS[start]].filter(pk__gt=after)),
        *((each, rows[each]) for each in KINDS[start + 1 :]),
        *((each, rows[each]) for each in KINDS[:start]),
        (KINDS[start], rows[KINDS[start]].exclude(pk=after)),
    ]
    for each, found in order:
        first = found.first()
        if first is not None:
            return each, first
    return None


def preceding(kind: str, before: int, wish: Wish) -> tuple[str, int] | None:
    """The one before, in the same order; None at the start."""
    place = KINDS.index(kind)
    found = of_kind(kind, "waiting", wish).filter(pk__lt=before).order_by("-pk").values_list("pk", flat=True).first()
    if found is not None:
        return kind, found
    for each in reversed(KINDS[:place]):
        last = of_kind(each, "waiting", wish).order_by("-pk").values_list("pk", flat=True).first()
        if last is not None:
            return each, last
    return None


def proposal(pk: int) -> Proposal | None:
    """One proposal with both lesions and their places."""
    return Proposal.objects.select_related(f"first__{_PLACE}", f"second__{_PLACE}").filter(pk=pk).first()


def said_of(lesion: Lesion) -> QuerySet[Review]:
    """Every verdict on a lesion or on a pair that it is part of, latest first."""
    return _with_people(
        Review.objects.filter(Q(lesion=lesion) | Q(proposal__first=lesion) | Q(proposal__second=lesion))
    )


def said_of_proposal(pair: Proposal) -> QuerySet[Review]:
    """Every verdict on a pair, latest first."""
    return _with_people(pair.reviews.all())


def review(pk: int) -> Review | None:
    """One verdict."""
    return _with_people(Review.objects.filter(pk=pk)).first()


def reviews() -> QuerySet[Review]:
    """All verdicts, for lists."""
    return _with_people(Review.objects.all())


def _with_people(rows: QuerySet[Review]) -> QuerySet[Review]:
    return rows.select_related("reviewer", "lesion", "proposal", "undone_by__reviewer").order_by("-pk")


def open_to_undo(found: list[Review]) -> Iterator[int]:
    """Of the verdicts on some things, latest first, those that stand and so can be taken back."""
    seen: set[tuple[int | None, int | None]] = set()
    for item in found:
        subject = (item.lesion_id, item.proposal_id)
        taken_back = getattr(item, "undone_by", None) is not None
        if item.verdict != Review.Verdict.WITHDRAWN and not taken_back and subject not in seen:
            seen.add(subject)
            yield item.pk


def collections() -> QuerySet[Collection]:
    """Collections, to filter by."""
    return Collection.objects.order_by("slug")
