"""Locate: where in the body each slice and each lesion of a collection lies, by a trained body-part regressor.

The regressor itself stands on another floor; it comes as a function that scores one series. Series by series, each in
its own transaction, so that it can be interrupted and run again; what a later harvest adds is found then.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol, cast

import numpy as np
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.utils import timezone
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
from datasets.services.fence import Fence
from datasets.storage import slice_storage
from datasets.storage_errors import StorageFailed

Unknown = LesionLocation.Unknown

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

    def single_at(self, number: int) -> float | None:
        """What a slice says by itself; None where it shows no body."""


Scorer = Callable[[Slices, float | None], Scores]
"""Takes a series' slices and its slice interval in mm."""


def locate(
    *,
    collection: Collection,
    model: LocationModel,
    score: Scorer,
    progress: Callable[[int, int], None] = lambda done, total: None,
    check: Callable[[], None] = lambda: None,
    fence: Fence = transaction.atomic,
) -> dict[str, int]:
    """Score what this model has not seen of a collection, then let its lesions carry what this model says.

    Lesions get x and y from the body's outline on their slice and z from the slice's score; where either is unknown
    they get none, and why is kept, so that this model does not look at them again. Places that lesions of a published
    dataset came with stay; the model's stand beside them.

    Parameters
    ----------
    check : called for every slice that is read; what it raises ends the work.
    fence : begins the transactions.

    Returns
    -------
    Series by finding, and the lesions located.
    """
    counts: Counter[str] = Counter()
    looked_at: set[int] = set()
    # What is harvested meanwhile is looked at, too: the job that it sends for is this one.
    while waiting := [each for each in _waiting(collection, model) if each.pk not in looked_at]:
        total = len(looked_at) + len(waiting)
        for series in waiting:
            progress(len(looked_at), total)
            looked_at.add(series.pk)
            if vars(series)["unseen"]:
                read: list[int] = []
                scores = score(_slices(series, read, check), series.slice_interval)
                counts[str(scores.finding)] += 1
                with fence():
                    _keep(series, model, scores, read)
            counts["lesions"] += _place(series, model, fence)
    with fence():
        choose(collection=collection, model=model)
    progress(len(looked_at), len(looked_at))
    return dict(counts)


@transaction.atomic
def choose(*, collection: Collection, model: LocationModel) -> None:
    """Let the lesions of a collection carry what one model says of them, and nothing where it says nothing.

    What other models said stays in their own rows. Of a dataset that was published with locations, lesions keep those
    that they came with; only the others carry the model's.
    """
    placed_by_models = _placed_by_models(collection)
    if placed_by_models.exists():
        _carry(placed_by_models, model)
        collection.location_model = model
    collection.located = timezone.now()
    collection.save(update_fields=["location_model", "located"])


def _placed_by_models(collection: Collection) -> QuerySet[Lesion]:
    """Lesions that did not come with a place: they have none, or that of the model chosen so far."""
    lesions = Lesion.objects.filter(slice__series__study__patient__collection=collection).order_by()
    if collection.kind == Collection.Kind.HOSPITAL:
        return lesions
    chosen = collection.location_model
    return lesions.filter(location_source__in=["", chosen.version] if chosen else [""])


def _carry(lesions: QuerySet[Lesion], model: LocationModel) -> None:
    said = LesionLocation.objects.filter(model=model, lesion=OuterRef("pk"), unknown="")
    lesions.exclude(location_source="").filter(~Exists(said)).update(x=None, y=None, z=None, location_source="")
    axes = {axis: Subquery(said.values(axis)) for axis in ("x", "y", "z")}
    # Those that carry this place already are left alone: a collection is large, what was added to it is small. One
    # model may place a lesion anew, by more slices of its series.
    moved = said.exclude(x=OuterRef("x"), y=OuterRef("y"), z=OuterRef("z"))
    other = lesions.exclude(location_source=model.version).filter(Exists(said))
    for stale in (other, lesions.filter(Exists(moved), location_source=model.version)):
        stale.update(location_source=model.version, **axes)


def _waiting(collection: Collection, model: LocationModel) -> QuerySet[Series]:
    """Series with something that the model has not looked at, each with whether that is a slice: `unseen`."""
    unseen = _unseen(collection, model)
    return (
        Series.objects.filter(Exists(unseen) | Exists(_unplaced(collection, model)))
        .annotate(unseen=Exists(unseen))
        .select_related("study__patient__collection")
        .order_by("pk")
    )


def _unseen(collection: Collection, model: LocationModel) -> QuerySet[Slice]:
    """Stored slices of the outer series that the model has not looked at."""
    seen = SliceLocation.objects.filter(slice=OuterRef("pk"), model=model)
    return _of_outer_series(collection).filter(~Exists(seen))


def _unplaced(collection: Collection, model: LocationModel) -> QuerySet[Slice]:
    """Stored slices of the outer series with a lesion of which the model has said neither a place nor why it has
    none."""
    said = LesionLocation.objects.filter(lesion=OuterRef("pk"), model=model)
    lesions = Lesion.objects.filter(slice=OuterRef("pk")).filter(~Exists(said))
    return _of_outer_series(collection).filter(Exists(lesions))


def _of_outer_series(collection: Collection) -> QuerySet[Slice]:
    return Slice.objects.filter(
        series=OuterRef("pk"), stored=True, series__study__patient__collection=collection
    ).order_by()


def _slices(series: Series, read: list[int], check: Callable[[], None]) -> Slices:
    """Give the slices whose file can be read, and note their keys."""
    for each in Slice.objects.filter(series=series, stored=True).order_by("number").iterator():
        check()
        try:
            pixels = hu.from_png(_read(series, each))
        except png.BadImage:
            continue
        read.append(each.pk)
        yield each.number, pixels


def _read(series: Series, each: Slice) -> png.Pixels:
    each.series = series
    try:
        with slice_storage(series.study.patient.collection).open(each.path) as file:
            return png.read(cast(BinaryIO, file))
    except StorageFailed:
        raise
    except OSError as error:
        raise png.BadImage(f"cannot be read: {error.strerror}") from error


def _keep(series: Series, model: LocationModel, scores: Scores, read: list[int]) -> None:
    """Write down what the scores say of the slices that were read; what the same model said of fewer of them goes."""
    LesionLocation.objects.filter(lesion__slice__series=series, model=model).delete()
    SliceLocation.objects.filter(slice__series=series, model=model).delete()
    SeriesLocation.objects.update_or_create(
        series=series, model=model, defaults={"finding": str(scores.finding), "sentence": scores.sentence}
    )
    SliceLocation.objects.bulk_create(
        SliceLocation(slice=each, model=model, score=scores.single_at(each.number), z=_within(scores.at(each.number)))
        for each in Slice.objects.filter(pk__in=read)
    )


def _within(z: float | None) -> float | None:
    """What lies beyond the ends of the scale stands at them, as x and y do."""
    return None if z is None else min(max(z, 0.0), 1.0)


def _place(series: Series, model: LocationModel, fence: Fence) -> int:
    """Place the lesions of a series of which the model has said nothing, or note why not; return how many could be."""
    looked_at = SliceLocation.objects.filter(slice__series=series, model=model)
    heights: dict[int, float | None] = dict(looked_at.values_list("slice_id", "z"))
    outlines: dict[int, body.Outline | Unknown] = {}
    said = []
    lesions = Lesion.objects.filter(slice__series=series, slice__stored=True).exclude(locations__model=model)
    for lesion in lesions.select_related("slice"):
        key = lesion.slice_id
        z = heights.get(key)
        if key not in outlines:
            outlines[key] = Unknown.HEIGHT if key in heights and z is None else _outline(series, lesion.slice)
        place = _across(lesion, outlines[key])
        if (place is Unknown.UNREADABLE and key in heights) or (not isinstance(place, Unknown) and z is None):
            # It could be read either now or when the series was scored, and not both times; the next look is for it.
            continue
        if isinstance(place, Unknown):
            said.append(LesionLocation(lesion=lesion, model=model, unknown=place))
        else:
            said.append(LesionLocation(lesion=lesion, model=model, x=place[0], y=place[1], z=z))
    with fence():
        LesionLocation.objects.bulk_create(said)
    return sum(not each.unknown for each in said)


def _across(lesion: Lesion, outline: body.Outline | Unknown) -> tuple[float, float] | Unknown:
    """x and y of a lesion, or why they are unknown."""
    if isinstance(outline, Unknown):
        return outline
    centre = np.reshape(lesion.box, (2, 2)).mean(axis=0)
    if not body.holds(centre, outline):
        return Unknown.OUTSIDE
    x, y = body.relative(centre, outline).tolist()
    return x, y


def _outline(series: Series, on: Slice) -> body.Outline | Unknown:
    try:
        return body.outline(hu.from_png(_read(series, on)))
    except png.BadImage:
        return Unknown.UNREADABLE
    except body.NoBody:
        return Unknown.BODY
