"""Curation: mark what may be noise, merge what was marked twice, propose what may have been. Nothing is deleted.

Every step can run again, and what people have decided stays decided. Source: paper section 2.2.1.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise

from django.db import transaction
from django.db.models import QuerySet

from datasets.models import STANDING, Collection, Lesion, Series
from datasets.services.fence import Fence
from datasets.services.merging import Marks, settle
from datasets.services.noise import noise_reasons
from datasets.services.propose import propose
from datasets.thresholds import Thresholds, in_force

BATCH = 1000

Progress = Callable[[int, int, str], None]


def _unwatched(done: int, total: int, unit: str) -> None:
    """Nobody watches."""


def curate(
    *,
    collection: Collection,
    limits: Thresholds | None = None,
    progress: Progress = _unwatched,
    fence: Fence = transaction.atomic,
) -> dict[str, int]:
    """Merge duplicates, propose near ones and mark noise among the harvested lesions of a collection.

    A published dataset keeps the curation it was published with.

    Parameters
    ----------
    limits : where not those of this installation.
    progress : called with how many series, then lesions, are done, how many there are, and which of the two.
    fence : begins the transactions, one for a series and one for a thousand lesions.

    Returns
    -------
    Counts: lesions looked at, merged, newly proposed as pairs, marked as possibly noisy.
    """
    counts = {"lesions": 0, "merged": 0, "proposed": 0, "possibly_noisy": 0}
    if collection.kind == Collection.Kind.PUBLISHED:
        return counts
    limits = limits or in_force()
    crowded = _crowded(collection, limits)
    for done, series in enumerate(crowded, start=1):
        with fence():
            merged, proposed = tidy(series, limits)
        counts["merged"] += merged
        counts["proposed"] += proposed
        progress(done, len(crowded), "series")
    standing = Lesion.objects.filter(STANDING, slice__series__study__patient__collection=collection)
    total = standing.count()
    for batch in _batches(standing):
        with fence():
            counts["possibly_noisy"] += _mark_noise(batch, limits)
        counts["lesions"] += len(batch)
        progress(counts["lesions"], total, "lesions")
    return counts


def tidy(series_id: int, limits: Thresholds) -> tuple[int, int]:
    """Merge and propose within one series, which is locked until the transaction ends.

    Returns
    -------
    How many lesions became part of another, and how many pairs are newly proposed.
    """
    found = Marks.of(Series.objects.select_for_update(of=("self",)).get(pk=series_id))
    return settle(found, limits), propose(found, limits)


def _crowded(collection: Collection, limits: Thresholds) -> list[int]:
    """Series with several marks near each other; all others have nothing to merge and nothing merged."""
    places: dict[int, list[tuple[int, float | None]]] = defaultdict(list)
    marks = Lesion.objects.filter(slice__series__study__patient__collection=collection, sources=None)
    columns = ("slice__series", "slice__number", "slice__series__slice_interval")
    for series, number, interval in marks.order_by("slice__series", "slice__number").values_list(*columns):
        places[series].append((number, interval))
    return [series for series, found in places.items() if _any_near(found, limits)]


def _any_near(places: list[tuple[int, float | None]], limits: Thresholds) -> bool:
    """Whether two slices, sorted by number, are as near as what is proposed."""
    return any(
        (after - before) * (interval or 0.0) <= limits.propose_within_mm
        for (before, interval), (after, _) in pairwise(places)
    )


def _batches(lesions: QuerySet[Lesion]) -> Iterator[list[Lesion]]:
    """The lesions by id, some at a time and each time as they now are."""
    last = 0
    while batch := list(lesions.filter(pk__gt=last).select_related("slice__series").order_by("pk")[:BATCH]):
        yield batch
        last = batch[-1].pk


def _mark_noise(lesions: list[Lesion], limits: Thresholds) -> int:
    """Judge some lesions; return how many are doubtful."""
    noisy = 0
    changed: list[Lesion] = []
    for lesion in lesions:
        series = lesion.slice.series
        reasons = noise_reasons(lesion, (series.spacing_x, series.spacing_y), limits)
        noisy += bool(reasons)
        if reasons != lesion.noise_reasons:
            lesion.noise_reasons, lesion.possibly_noisy = reasons, bool(reasons)
            changed.append(lesion)
    Lesion.objects.bulk_update(changed, ["noise_reasons", "possibly_noisy"], batch_size=BATCH)
    return noisy
