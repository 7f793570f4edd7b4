"""Curation: mark what may be noise, merge what was marked twice, propose what may have been. Nothing is deleted.

Every step can run again, and what people have decided stays decided. Source: paper section 2.2.1.
"""

from collections import defaultdict
from itertools import pairwise
from typing import Any

from django.db import transaction
from django.db.models import Q

from datasets.models import STANDING, Collection, Lesion, Series
from datasets.services.merging import Marks, settle
from datasets.services.noise import noise_reasons
from datasets.services.propose import propose
from datasets.thresholds import Thresholds, in_force

BATCH = 1000


def curate(*, collection: Collection, limits: Thresholds | None = None) -> dict[str, int]:
    """Merge duplicates, propose near ones and mark noise among the harvested lesions of a collection.

    A published dataset keeps the curation it was published with.

    Parameters
    ----------
    limits : where not those of this installation.

    Returns
    -------
    Counts: lesions looked at, merged, newly proposed as pairs, marked as possibly noisy.
    """
    counts = {"lesions": 0, "merged": 0, "proposed": 0, "possibly_noisy": 0}
    if collection.kind == Collection.Kind.PUBLISHED:
        return counts
    limits = limits or in_force()
    for series in _crowded(collection, limits):
        with transaction.atomic():
            merged, proposed = tidy(series, limits)
        counts["merged"] += merged
        counts["proposed"] += proposed
    counts["lesions"], counts["possibly_noisy"] = _mark_noise(collection, limits)
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


def _mark_noise(collection: Collection, limits: Thresholds) -> tuple[int, int]:
    """Judge every lesion that counts; return how many there are and how many are doubtful."""
    lesions = noisy = 0
    changed: list[Lesion] = []
    here: Any = Q(slice__series__study__patient__collection=collection)
    for lesion in Lesion.objects.filter(here, STANDING).select_related("slice__series").order_by("pk").iterator(BATCH):
        series = lesion.slice.series
        reasons = noise_reasons(lesion, (series.spacing_x, series.spacing_y), limits)
        lesions += 1
        noisy += bool(reasons)
        if reasons != lesion.noise_reasons:
            lesion.noise_reasons, lesion.possibly_noisy = reasons, bool(reasons)
            changed.append(lesion)
    Lesion.objects.bulk_update(changed, ["noise_reasons", "possibly_noisy"], batch_size=BATCH)
    return lesions, noisy
