"""The slices around the lesions that a series has: what could not be read is tried again, what is asked for is added.

A lesion that a published release holds keeps its first and last slice for ever; slices may still come to fill them.
"""

from datasets.models import Lesion, Release, ReleaseLesion, Series
from datasets.pacs.series import Volume
from datasets.services.harvest.slices import context_of

UNREAD_SLICES = "Slices around it could not be read; every harvest tries them again."


def stored_in(series: Series) -> set[int]:
    """Places in the volume whose slices are there."""
    return {number - 1 for number in series.slices.filter(stored=True).values_list("number", flat=True)}


def claimed_in(series: Series) -> set[int]:
    """Places in the volume that the lesions of a series say are kept around them."""
    spans = Lesion.objects.filter(slice__series=series).order_by().values_list("first_slice", "last_slice").distinct()
    return {place for first, last in spans for place in range(first - 1, last)}


def wanted_in(series: Series, volume: Volume, context_mm: float | None) -> set[int]:
    """Places in the volume to keep around the lesions of a series: those claimed, and those asked for now."""
    keys = Lesion.objects.filter(slice__series=series).order_by().values_list("slice__number", flat=True).distinct()
    asked = {place for number in keys for place in context_of(volume, number - 1, context_mm)}
    return claimed_in(series) | asked


def settle_around(series: Series, volume: Volume, context_mm: float | None) -> None:
    """Let the lesions of a series claim what is asked for now, and flag those around which a slice is missing.

    To be called in a transaction, once slices and lesions are there. An average spans what its marks do.
    """
    # The whole row is locked: a release that takes the lesion in this moment waits, or is waited for.
    found = Lesion.objects.select_for_update(of=("self",)).filter(slice__series=series)
    lesions = {each.pk: each for each in found.select_related("slice").prefetch_related("sources").order_by("pk")}
    members = ReleaseLesion.objects.filter(lesion__in=lesions, release__state=Release.State.PUBLISHED)
    published = set(members.values_list("lesion", flat=True))
    stored = stored_in(series)
    changed = []
    for lesion in sorted(lesions.values(), key=lambda each: bool(each.sources.all())):
        before = (lesion.first_slice, lesion.last_slice, lesion.flags)
        if lesion.pk not in published:
            context = context_of(volume, lesion.slice.number - 1, context_mm)
            marks = [lesions[mark.pk] for mark in lesion.sources.all()]
            lesion.first_slice = min(lesion.first_slice, context[0] + 1, *(mark.first_slice for mark in marks))
            lesion.last_slice = max(lesion.last_slice, context[-1] + 1, *(mark.last_slice for mark in marks))
        hole = not stored.issuperset(range(lesion.first_slice - 1, lesion.last_slice))
        lesion.flags = [*(flag for flag in lesion.flags if flag != UNREAD_SLICES), *[UNREAD_SLICES] * hole]
        if before != (lesion.first_slice, lesion.last_slice, lesion.flags):
            changed.append(lesion)
    Lesion.objects.bulk_update(changed, ["first_slice", "last_slice", "flags"], batch_size=100)
