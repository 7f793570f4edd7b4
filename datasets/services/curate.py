"""Curation: mark what may be noise, merge what was marked twice. Nothing is deleted; every step can run again.

Source: paper section 2.2.1.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import Count, Max, Q

from datasets.geometry import overlap
from datasets.geometry.region import Statistics
from datasets.models import Collection, Lesion
from datasets.services.measure import inside_box, measured

BATCH = 1000


@dataclass(frozen=True)
class Thresholds:
    """Beyond these a box is doubtful. Chosen outside the range of the published lesions that are not noisy."""

    smallest_mm2: float = 35.0
    """Area of the padded box; the smallest published one is 43 mm²."""
    largest_mm2: float = 23_000.0
    """The largest published one is 22,852 mm²."""
    flattest: float = 4.0
    """Longer side by shorter side of the box; 99.9% of the published ones lie below 3.5."""
    darkest_hu: float = -900.0
    """Mean inside the box: air around the body lies below, lung with a nodule above."""
    smoothest_hu: float = 7.0
    """Standard deviation inside the box; noise alone gives more."""
    narrowest_hu: float = 40.0
    """Range from the darkest to the brightest pixel inside the box."""


DEFAULTS = Thresholds()

DUPLICATE_IOU = 0.6
"""Boxes on one slice that overlap by more are one lesion."""


def noise_reasons(lesion: Lesion, spacing: tuple[float, float], limits: Thresholds = DEFAULTS) -> list[dict[str, Any]]:
    """Say why a lesion may be noise: `[{reason, value, threshold}]`, empty when nothing speaks against it.

    Parameters
    ----------
    lesion : with its box and, where its pixels were seen, the statistics inside.
    spacing : mm per pixel along x and y.
    """
    width = (lesion.box_x2 - lesion.box_x1) * spacing[0]
    height = (lesion.box_y2 - lesion.box_y1) * spacing[1]
    area, ratio = width * height, max(width, height) / min(width, height)
    checks = [
        ("too small", area < limits.smallest_mm2, area, limits.smallest_mm2),
        ("too large", area > limits.largest_mm2, area, limits.largest_mm2),
        ("too flat", ratio > limits.flattest, ratio, limits.flattest),
    ]
    inside = inside_box(lesion)
    if inside is not None:
        spread = inside.max - inside.min
        checks += [
            ("too dark", inside.mean < limits.darkest_hu, inside.mean, limits.darkest_hu),
            ("too even", inside.std < limits.smoothest_hu, inside.std, limits.smoothest_hu),
            ("too small a range", spread < limits.narrowest_hu, spread, limits.narrowest_hu),
        ]
    return [
        {"reason": reason, "value": round(float(value), 3), "threshold": threshold}
        for reason, applies, value, threshold in checks
        if applies
    ]


def curate(*, collection: Collection, limits: Thresholds = DEFAULTS) -> dict[str, int]:
    """Merge duplicates and mark noise among the harvested lesions of a collection.

    A published dataset keeps the curation it was published with.

    Returns
    -------
    Counts: lesions looked at, merged, marked as possibly noisy.
    """
    if collection.kind == Collection.Kind.PUBLISHED:
        return {"lesions": 0, "merged": 0, "possibly_noisy": 0}
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
    near = overlap.iou([lesion.box for lesion in lesions], [lesion.box for lesion in lesions]) > DUPLICATE_IOU
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
        **measured(points, (series.spacing_x, series.spacing_y), _pooled(sources)),
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
