"""Read queries over locations in the body."""

from dataclasses import dataclass

import numpy as np
from django.db.models import Count, Exists, OuterRef, QuerySet
from numpy.typing import NDArray

from datasets import manifest
from datasets.models import Collection, Lesion, LesionLocation, LocationModel, SeriesLocation, SliceLocation
from datasets.selectors import lesions as lesion_selectors
from datasets.selectors import visibility as visible
from datasets.selectors.visibility import Visibility

PUBLISHED = manifest.PUBLISHED
"""`location_source` of lesions that came with their place."""
AXES = ("x", "y", "z")
WHY = {
    LesionLocation.Unknown.HEIGHT: "The series is placed, but this slice shows no body, or lies beyond the part that "
    "the regressor knows.",
    LesionLocation.Unknown.BODY: "The series is placed, but on this slice no body's outline was found.",
    LesionLocation.Unknown.OUTSIDE: "It lies far outside the body that was found on its slice.",
    LesionLocation.Unknown.UNREADABLE: "The image of its slice could not be read.",
}

_POINT = np.dtype([("id", "<f8"), ("x", "<f4"), ("z", "<f4"), ("type", "i1")])
_COLLECTION = "slice__series__study__patient__collection"


@dataclass(frozen=True, slots=True)
class Source:
    """Who placed the lesions of a collection: the published table, or a model."""

    collection: str
    version: str
    here: bool
    """The model is one of this site; of an imported release it may be another's."""
    lesions: int

    @property
    def published(self) -> bool:
        return self.version == PUBLISHED


@dataclass(frozen=True, slots=True)
class Difference:
    """A model's places held against the published ones: median and worst absolute difference of x, y and z."""

    collection: str
    lesions: int
    axes: list[tuple[str, float, float]]


def state_of_locations() -> str:
    """A short text that changes whenever a model has looked at a collection, which is when its lesions are placed."""
    looked_at = Collection.objects.exclude(located=None).order_by("pk").values_list("pk", "located")
    return "-".join(f"{pk}-{located.timestamp():.6f}" for pk, located in looked_at if located) or "none"


def map_points(rows: QuerySet[Lesion], limit: int) -> bytes:
    """The lesions of the map, as columns one after the other, little-endian.

    Returns
    -------
    uint32 number of lesions, uint32 zero; then id as float64, x and z as float32, type as int8, each for all lesions
    in the order of their ids; at most `limit` lesions.
    """
    found = lesion_selectors.located(rows).order_by("id").values_list("id", "x", "z", "type")[:limit]
    points = np.fromiter(found.iterator(chunk_size=10_000), dtype=_POINT)
    head = np.array([len(points), 0], dtype="<u4").tobytes()
    return head + b"".join(points[name].tobytes() for name in _POINT.names or ())


def sources(rows: QuerySet[Lesion]) -> list[Source]:
    """Who placed the lesions on the map, per collection."""
    found = (
        lesion_selectors.located(rows)
        .order_by()
        .values_list(f"{_COLLECTION}__title", "location_source")
        .annotate(here=Exists(LocationModel.objects.filter(version=OuterRef("location_source"))))
        .annotate(n=Count("id"))
    )
    return [Source(*row) for row in sorted(found)]


def differences(model: LocationModel, visibility: Visibility) -> list[Difference]:
    """Hold a model's places against those that datasets were published with, of the lesions that may be seen."""
    seen = visible.lesions(visibility).filter(location_source=PUBLISHED)
    both = LesionLocation.objects.filter(model=model, unknown="", lesion__in=seen)
    found = []
    for collection in Collection.objects.filter(kind=Collection.Kind.PUBLISHED).order_by("title"):
        of = both.filter(**{f"lesion__{_COLLECTION}": collection}).order_by()
        values = _columns(of.values_list(*AXES, *(f"lesion__{axis}" for axis in AXES)), 6)
        if len(values):
            off = np.abs(values[:, :3] - values[:, 3:])
            columns = zip(AXES, np.median(off, axis=0).tolist(), off.max(axis=0).tolist(), strict=True)
            found.append(Difference(collection.title, len(off), list(columns)))
    return found


def untried(rows: QuerySet[Lesion], model: LocationModel) -> bool:
    """Whether there are lesions without a place, and with an image, of which a model has not said that it finds
    none."""
    unknown = LesionLocation.objects.filter(lesion=OuterRef("pk"), model=model).exclude(unknown="")
    return rows.filter(z__isnull=True, slice__stored=True).exclude(Exists(unknown)).exists()


def why_unplaced(lesion: Lesion) -> str:
    """What the model that places a lesion's collection found in its series or on its slice; empty where it has not
    looked, or placed it."""
    if lesion.z is not None:
        return ""
    series = lesion.slice.series
    model = series.study.patient.collection.location_model_id
    of_series = SeriesLocation.objects.filter(series=series, model=model).first()
    if of_series is None:
        return ""
    if not SliceLocation.objects.filter(slice__series=series, model=model, z__isnull=False).exists():
        return of_series.sentence
    of_lesion = LesionLocation.objects.filter(lesion=lesion, model=model).exclude(unknown="").first()
    return WHY[LesionLocation.Unknown(of_lesion.unknown)] if of_lesion else ""


def _columns(rows: QuerySet[LesionLocation], width: int) -> NDArray[np.float64]:
    return np.array(list(rows), dtype=np.float64).reshape(-1, width)
