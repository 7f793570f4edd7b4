"""Which marks of a series are one lesion: settled anew from the marks and from what people said, so that it can run
at any time and again.

Marks on one slice whose boxes overlap by more than the threshold are merged by themselves, unless a person has judged
either of them: what a person judged is proposed instead. People's verdicts on pairs come first, whenever they were
given. An average stands for its marks as long as they are together; when they part it stays, dissolved, and the
marks stand for themselves again. Nothing is deleted.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import combinations, product

import numpy as np

from datasets.geometry import overlap
from datasets.models import STANDING_REVIEW, Lesion, Review, Series
from datasets.services.average import make_average
from datasets.thresholds import Thresholds

Pair = frozenset[int]


@dataclass
class Marks:
    """The marks of one series, their averages, and what people said of them."""

    marks: dict[int, Lesion]
    averages: dict[int, Lesion]
    sources: dict[int, frozenset[int]]
    """Of each average, the marks it was made of."""
    judged: set[int] = field(default_factory=set)
    """Lesions with a standing verdict of their own."""
    said: dict[Pair, bool] = field(default_factory=dict)
    """Pairs of marks that are one lesion, or not, by the latest verdict on them."""

    @classmethod
    def of(cls, series: Series) -> "Marks":
        """Read them."""
        lesions = {
            lesion.pk: lesion
            for lesion in Lesion.objects.filter(slice__series=series)
            .select_related("slice__series", "follow_up", "annotation")
            .prefetch_related("sources")
            .order_by("pk")
        }
        sources = {pk: frozenset(each.pk for each in lesion.sources.all()) for pk, lesion in lesions.items()}
        found = cls(
            marks={pk: lesion for pk, lesion in lesions.items() if not sources[pk]},
            averages={pk: lesion for pk, lesion in lesions.items() if sources[pk]},
            sources={pk: held for pk, held in sources.items() if held},
        )
        found._hear(series)
        return found

    def _hear(self, series: Series) -> None:
        verdicts = Review.objects.filter(STANDING_REVIEW).select_related("proposal").order_by("pk")
        for review in verdicts.filter(lesion__slice__series=series):
            if review.verdict == Review.Verdict.SPLIT:
                self._say(combinations(sorted(self.parts(review.lesion_id or 0)), 2), False)
            else:
                self.judged.add(review.lesion_id or 0)
        for review in verdicts.filter(proposal__first__slice__series=series):
            if review.proposal is not None:
                pairs = product(self.parts(review.proposal.first_id), self.parts(review.proposal.second_id))
                self._say(pairs, review.verdict == Review.Verdict.MERGE)

    def _say(self, pairs: Iterable[tuple[int, int]], same: bool) -> None:
        self.said.update({frozenset(pair): same for pair in pairs})

    def parts(self, pk: int) -> frozenset[int]:
        """The marks that a lesion stands for: itself, or what it was made of."""
        return self.sources.get(pk, frozenset({pk}))

    def head(self, pk: int) -> int:
        """The lesion that a mark is part of now, or itself."""
        lesion = self.marks[pk]
        while lesion.merged_into_id is not None:
            lesion = self.averages[lesion.merged_into_id]
        return lesion.pk

    def parted(self, one: Iterable[int], other: Iterable[int]) -> bool:
        """Whether a person said of any mark of the one that it is not the same as any of the other."""
        return any(self.said.get(frozenset(pair)) is False for pair in product(one, other))

    @property
    def standing(self) -> list[Lesion]:
        """The lesions that count, by number of their slice."""
        found = [*self.marks.values(), *self.averages.values()]
        return sorted(
            (each for each in found if each.merged_into_id is None and not each.dissolved),
            key=lambda each: (each.slice.number, each.pk),
        )


def settle(found: Marks, limits: Thresholds) -> int:
    """Merge what is one and part what is not; the caller has locked the series.

    Returns
    -------
    How many lesions that counted are now part of another.
    """
    groups = [group for group in _groups(found, limits) if len(group) > 1]
    before = {lesion.pk for lesion in found.standing}
    made = {held: pk for pk, held in found.sources.items()}
    target: dict[int, int] = {}
    for group in groups:
        if group not in made:
            average = make_average([found.marks[pk] for pk in sorted(group)], limits)
            found.averages[average.pk], found.sources[average.pk] = average, group
            made[group] = average.pk
        target |= dict.fromkeys(group, made[group])
    for pk, lesion in found.marks.items():
        _place(lesion, target.get(pk), dissolved=False)
    for pk, lesion in found.averages.items():
        held = found.sources[pk]
        within = next((group for group in groups if held <= group), None)
        _place(lesion, None if within in (None, held) else made[within], dissolved=within is None)
    return len(before - {lesion.pk for lesion in found.standing})


def _place(lesion: Lesion, merged_into: int | None, *, dissolved: bool) -> None:
    if (lesion.merged_into_id, lesion.dissolved) != (merged_into, dissolved):
        lesion.merged_into_id, lesion.dissolved = merged_into, dissolved
        lesion.save(update_fields=["merged_into", "dissolved"])


def _groups(found: Marks, limits: Thresholds) -> list[frozenset[int]]:
    """The marks in groups, each of them one lesion."""
    group = {pk: frozenset({pk}) for pk in found.marks}
    for one, other in [*_said_same(found), *_overlapping(found, limits)]:
        if group[one] is not group[other] and not found.parted(group[one], group[other]):
            joined = group[one] | group[other]
            group |= dict.fromkeys(joined, joined)
    return list(set(group.values()))


def _said_same(found: Marks) -> list[tuple[int, int]]:
    """Pairs that a person said are one, latest first."""
    pairs = [sorted(pair) for pair, same in found.said.items() if same]
    return [(one, other) for one, other in reversed(pairs) if one in found.marks and other in found.marks]


def _overlapping(found: Marks, limits: Thresholds) -> Iterator[tuple[int, int]]:
    """Pairs on one slice that overlap enough to be merged without asking, most first."""
    marks = list(found.marks.values())
    overlaps = overlap.iou([mark.box for mark in marks], [mark.box for mark in marks])
    near = [
        (float(overlaps[i, j]), marks[i], marks[j])
        for i, j in np.argwhere(np.triu(overlaps > limits.merge_iou, 1)).tolist()
        if marks[i].slice_id == marks[j].slice_id
    ]
    for _, one, other in sorted(near, key=lambda item: (-item[0], item[1].pk, item[2].pk)):
        heads = {found.head(one.pk), found.head(other.pk)}
        if len(heads) == 1 or heads.isdisjoint(found.judged):
            yield one.pk, other.pk
