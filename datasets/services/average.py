"""Averages: one lesion made of the marks that several readers, or one reader twice, drew of it.

Source: paper section 2.2.1, which merges boxes by averaging their coordinates.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from django.db.models import Max

from datasets.geometry.region import Statistics
from datasets.geometry.surroundings import Surroundings
from datasets.models import Lesion
from datasets.services.measure import inside_box, measured, surroundings_of
from datasets.services.noise import noise_reasons
from datasets.thresholds import Thresholds


def make_average(marks: Sequence[Lesion], limits: Thresholds) -> Lesion:
    """Add the average of some marks of one series; they are remembered as its sources.

    It lies on the slice of the longest mark, where RECIST measures a lesion; marks on other slices are remembered and
    do not count for its coordinates.
    """
    key = max(marks, key=lambda mark: (mark.long_um, -mark.pk)).slice
    here = [mark for mark in marks if mark.slice_id == key.pk]
    spacing = (key.series.spacing_x, key.series.spacing_y)
    points = np.mean(list(aligned([mark.points for mark in here])), axis=0)
    last = Lesion.objects.filter(slice=key).aggregate(last=Max("number"))["last"] or 0
    made = Lesion(
        slice=key,
        number=last + 1,
        follow_up=next((mark.follow_up for mark in marks if mark.follow_up_id), None),
        type=next((mark.type for mark in marks if mark.type > 0), -1),
        first_slice=min(mark.first_slice for mark in marks),
        last_slice=max(mark.last_slice for mark in marks),
        flags=list(dict.fromkeys(flag for mark in marks for flag in mark.flags)),
        **measured(points, spacing, _pooled(here), _shared(here)),
    )
    made.noise_reasons = noise_reasons(made, spacing, limits)
    made.possibly_noisy = bool(made.noise_reasons)
    made.save()
    made.sources.set(marks)
    return made


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
