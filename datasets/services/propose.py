"""Pairs of lesions that may be one and that no rule merges: proposed to people.

They overlap, but less than what is merged without asking; or they lie on slices close by, where two readers chose
different slices for one lesion. Of the published test rows 50 pairs within 10 mm overlap by 40% or more.
"""

from collections.abc import Iterator
from itertools import combinations

from datasets.geometry import overlap
from datasets.models import Lesion, Proposal
from datasets.services.merging import Marks
from datasets.thresholds import Thresholds


def propose(found: Marks, limits: Thresholds) -> int:
    """Add the proposals that a series still lacks; return how many are new."""
    pairs = {(each.first_id, each.second_id): each for each in _near(found, limits)}
    known = set(Proposal.objects.filter(first__in=[first for first, _ in pairs]).values_list("first_id", "second_id"))
    fresh = [proposal for pair, proposal in pairs.items() if pair not in known]
    Proposal.objects.bulk_create(fresh)
    return len(fresh)


def _near(found: Marks, limits: Thresholds) -> Iterator[Proposal]:
    lesions = found.standing
    overlaps = overlap.iou([each.box for each in lesions], [each.box for each in lesions])
    for (i, one), (j, other) in combinations(enumerate(lesions), 2):
        iou, distance = float(overlaps[i, j]), _distance_mm(one, other)
        if iou < limits.propose_iou or distance is None or distance > limits.propose_within_mm:
            continue
        if _told_apart(one, other) or found.parted(found.parts(one.pk), found.parts(other.pk)):
            continue
        first, second = sorted((one.pk, other.pk))
        reason = Proposal.Reason.NEIGHBOURS if distance else Proposal.Reason.OVERLAP
        yield Proposal(
            first_id=first,
            second_id=second,
            reason=reason,
            value=round(iou, 4),
            threshold=limits.propose_iou,
            distance_mm=round(distance, 3),
        )


def _distance_mm(one: Lesion, other: Lesion) -> float | None:
    """Between the slices of two lesions of a series; None where it is not known."""
    steps = abs(one.slice.number - other.slice.number)
    interval = one.slice.slice_interval or one.slice.series.slice_interval
    if steps and not interval:
        return None
    return steps * (interval or 0.0)


def _told_apart(one: Lesion, other: Lesion) -> bool:
    """Whether the reader gave them different follow-up numbers, F01 and F02."""
    numbers = {each.annotation.follow_up for each in (one, other) if each.annotation and each.annotation.follow_up}
    return len(numbers) > 1
