"""Curation: mark what may be noise, merge what was marked twice. Nothing is deleted; every step can run again.

Source: paper section 2.2.1.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import Count, Max, Q

from datasets.geometry import overlap
from datasets.geometry.region import Statistics
from datasets.geometry.surroundings import Surroundings
from datasets.models import Collection, Lesion
from datasets.services.measure import inside_box, measured, surroundings_of
from datasets.services.noise import noise_reasons
from datasets.thresholds import Thresholds, in_force

BATCH = 1000


def curate(*, collection: Collection, limits: Thresholds | None = None) -> dict[str, int]:
    """Merge duplicates and mark noise among the harvested lesions of a collection.

    A published dataset keeps the curation it was published with.

    Parameters
    ----------
    limits : where not those of this installation.

    Returns
    -------
    Counts: lesions looked at, merged, marked as possibly noisy.
    """
    if collection.kind == Collection.Kind.PUBLISHED:
        return {"lesions": 0, "merged": 0, "possibly_noisy": 0}
    limits = limits or in_force()
    merged = _merge_duplicates(collection)
    lesions = noisy = 0
    changed: list[Lesion] = []
    standing = _standing(collection).select_related("slice__series").order_by("pk")
    for lesion in standing.iterator(chunk_size=BATCH):
        series = lesion.slice.series
        reasons = noise_reasons(lesion, (series.spacing_x, series.spacing_y), limits)
        lesions += 1
        noisy += bool(reasons)
        if reasons != lesion.noise_reasons:
            lesion.noise_reasons, lesion.possibly_noisy = reasons, bool(reasons)
            changed.append(lesion)
    Lesion.objects.bulk_update(changed, ["noise_reasons", "possibly_noisy"], batch_size=BATCH)
    return {"lesions": lesions, "merged": merged, "possibly_noisy": noisy}


def _standing(collection: Collection) -> Any:
    return Lesion.objects.filter(slice__series__study__patient__collection=collection, merged_into=None)


def _merge_duplicates(collection: Collection) -> int:
    """Replace lesions that overlap on one slice by their average; return how many were replaced."""
    crowded = (
        _standing(collection)
        .values("slice")
        .annotate(lesions=Count("pk"))
        .filter(lesions__gt=1)
        .order_by("slice")
        .values_list("slice", flat=True)
    )
    together = (
        _standing(collection).filter(slice__in=crowded).select_related("slice__series").order_by("slice", "number")
    )
    merged = 0
    for _, lesions in groupby(together, key=lambda lesion: lesion.slice_id):
        for group in duplicates(list(lesions)):
            _merge(group)
            merged += len(group)
    return merged


def duplicates(lesions: list[Lesion]) -> Iterator[list[Lesion]]:
    """Group the lesions of one slice that overlap, directly or through a third."""
    near = overlap.iou([lesion.box for lesion in lesions], [lesion.box for lesion in lesions]) > in_force().merge_iou
    left = set(range(len(lesions)))
    while left:
        group, frontier = set(), {min(left)}
        while frontier:
            group |= frontier
            frontier = {other for one in frontier for other in np.flatnonzero(near[one]).tolist()} - group
        left -= group
        if len(group) > 1:
            yield [lesions[index] for index in sorted(group)]


@transaction.atomic
def _merge(group: list[Lesion]) -> None:
    """Average a group; an average of averages counts every original once."""
    sources = list(
        Lesion.objects.filter(Q(pk__in=[one.pk for one in group]) | Q(merged_into__in=group))
        .filter(merged_from=None)
        .order_by("pk")
    )
    first, series = group[0], group[0].slice.series
    points = np.mean(list(aligned([source.points for source in sources])), axis=0)
    number = Lesion.objects.filter(slice=first.slice).aggregate(last=Max("number"))["last"] + 1
    average = Lesion.objects.create(
        slice=first.slice,
        number=number,
        follow_up=next((source.follow_up for source in sources if source.follow_up_id), None),
        type=next((source.type for source in sources if source.type > 0), -1),
        first_slice=min(source.first_slice for source in sources),
        last_slice=max(source.last_slice for source in sources),
        **measured(points, (series.spacing_x, series.spacing_y), _pooled(sources), _shared(sources)),
    )
    replaced = {one.pk for one in group} | {source.pk for source in sources}
    Lesion.objects.filter(pk__in=replaced).update(merged_into=average)


def aligned(measurements: Iterable[tuple[float, ...]]) -> Iterator[np.ndarray]:
    """Name the ends of every measurement alike, so that averaging does not fold it: (4, 2) each.

    Two readers may draw an axis from either end, and on a round lesion either axis may be the longer one.
    """
    reference = None
    for measurement in measurements:
        points = np.reshape(measurement, (4, 2))
        if reference is None:
            reference = points
        yield min((points[order] for order in _NAMINGS), key=lambda named: float(((named - reference) ** 2).sum()))


_NAMINGS = [
    [*first, *second]
    for one, other in (((0, 1), (2, 3)), ((2, 3), (0, 1)))
    for first in (one, one[::-1])
    for second in (other, other[::-1])
]


def _pooled(lesions: list[Lesion]) -> Statistics | None:
    """Statistics of the shared region, from those of its marks; they overlap, so means serve."""
    seen = [inside for lesion in lesions if (inside := inside_box(lesion)) is not None]
    if not seen:
        return None
    return Statistics(
        mean=float(np.mean([inside.mean for inside in seen])),
        std=float(np.mean([inside.std for inside in seen])),
        min=min(inside.min for inside in seen),
        max=max(inside.max for inside in seen),
    )


def _shared(lesions: list[Lesion]) -> Surroundings | None:
    """What surrounds the shared region: of each measure the mean over its marks."""
    seen = [around for lesion in lesions if (around := surroundings_of(lesion)) is not None]
    return Surroundings(*(float(value) for value in np.mean(seen, axis=0))) if seen else None
