"""Locate: where in the body each slice and each lesion of a collection lies, by a trained body-part regressor.

The regressor itself stands on another floor; it comes as a function that scores one series. Series by series, each in
its own transaction, so that it can be interrupted and run again.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
from django.db import transaction
from django.db.models import QuerySet
from numpy.typing import NDArray

from datasets import png
from datasets.geometry import body, hu
from datasets.models import (
    Collection,
    Lesion,
    LesionLocation,
    LocationModel,
    Series,
    SeriesLocation,
    Slice,
    SliceLocation,
)
from datasets.storage import slice_root

Slices = Iterator[tuple[int, NDArray[np.int32]]]
"""Numbers and HU of a series' slices."""


class Scores(Protocol):
    """What a regressor says of one series."""

    @property
    def finding(self) -> str:
        """Named in a word."""

    @property
    def sentence(self) -> str:
        """The finding for people."""

    def at(self, number: int) -> float | None:
        """z of a slice, 0 head .. 1 feet; None where it is unknown."""


Scorer = Callable[[Slices, float | None], Scores]
"""Takes a series' slices and its slice interval in mm."""


def locate(
    *,
    collection: Collection,
    model: LocationModel,
    score: Scorer,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, int]:
    """Score the series of a collection that this model has not scored yet.

    Lesions get x and y from the body's outline on their slice and z from the slice's score; where either is unknown
    they get none. A published dataset keeps the locations it was published with; the model's stand beside them.

    Returns
    -------
    Series by finding, and the lesions located.
    """
    waiting = (
        Series.objects.filter(study__patient__collection=collection, slices__stored=True)
        .exclude(locations__model=model)
        .select_related("study__patient__collection")
        .distinct()
        .order_by("pk")
    )
    total = waiting.count()
    counts: Counter[str] = Counter()
    for done, series in enumerate(waiting):
        progress(done, total)
        scores = score(_slices(series), series.slice_interval)
        counts[str(scores.finding)] += 1
        counts["lesions"] += _keep(series, model, scores)
    progress(total, total)
    return dict(counts)


def _slices(series: Series) -> Slices:
    for each in _stored(series).iterator():
        try:
            yield each.number, hu.from_png(_read(series, each))
        except png.BadImage:
            continue


def _stored(series: Series) -> QuerySet[Slice]:
    return Slice.objects.filter(series=series, stored=True).order_by("number")


def _read(series: Series, each: Slice) -> png.Pixels:
    each.series = series
    return png.read(slice_root(series.study.patient.collection) / each.path)


def _keep(series: Series, model: LocationModel, scores: Scores) -> int:
    """Write down what a series' scores say; return how many lesions were located."""
    places = {each.pk: z for each in _stored(series) if (z := scores.at(each.number)) is not None}
    lesions = list(Lesion.objects.filter(slice__in=places).select_related("slice"))
    outlines: dict[int, body.Outline | None] = {}
    located = []
    for lesion in lesions:
        if lesion.slice_id not in outlines:
            outlines[lesion.slice_id] = _outline(series, lesion.slice)
        outline = outlines[lesion.slice_id]
        if outline is not None:
            x, y = body.relative(np.reshape(lesion.box, (2, 2)).mean(axis=0), outline).tolist()
            located.append(LesionLocation(lesion=lesion, model=model, x=x, y=y, z=places[lesion.slice_id]))
    published = series.study.patient.collection.kind == Collection.Kind.PUBLISHED
    with transaction.atomic():
        SeriesLocation.objects.create(
            series=series, model=model, finding=str(scores.finding), sentence=scores.sentence
        )
        SliceLocation.objects.bulk_create(SliceLocation(slice_id=pk, model=model, z=z) for pk, z in places.items())
        LesionLocation.objects.bulk_create(located)
        if not published:
            for place in located:
                lesion = place.lesion
                lesion.x, lesion.y, lesion.z, lesion.location_source = place.x, place.y, place.z, model.version
            Lesion.objects.bulk_update([place.lesion for place in located], ["x", "y", "z", "location_source"])
    return len(located)


def _outline(series: Series, on: Slice) -> body.Outline | None:
    try:
        return body.outline(hu.from_png(_read(series, on)))
    except (png.BadImage, body.NoBody):
        return None
