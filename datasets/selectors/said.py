"""What each body-part regressor said of a lesion and along a series: a newer one adds, and what older ones said stays
to be read."""

from dataclasses import dataclass

from datasets.models import Lesion, LesionLocation, Series, SeriesLocation, SliceLocation
from datasets.selectors import visibility as visible
from datasets.selectors.visibility import Visibility


@dataclass(frozen=True, slots=True)
class SaidOfLesion:
    """A model's place of a lesion, or why it has none; what it says of the key slice alone; and what the series
    showed."""

    model: str
    chosen: bool
    """The lesion carries this place."""
    x: float | None
    y: float | None
    z: float | None
    unknown: str
    score: float | None
    finding: str
    sentence: str


@dataclass(frozen=True, slots=True)
class SaidOfSlice:
    """Height of a slice by itself, and smoothed along its series; None where it shows no body, or is not known."""

    slice: int
    score: float | None
    z: float | None


@dataclass(frozen=True, slots=True)
class SaidOfSeries:
    """What a model found in a series, with its slices from head to feet."""

    model: str
    finding: str
    sentence: str
    slices: list[SaidOfSlice]


def of_lesion(lesion: Lesion) -> list[SaidOfLesion]:
    """What the models said, newest first."""
    series = _of_series(lesion.slice.series_id)
    if not series:
        return []
    places = {row.model_id: row for row in LesionLocation.objects.filter(lesion=lesion)}
    heights = dict(SliceLocation.objects.filter(slice=lesion.slice_id).values_list("model_id", "score"))
    found = []
    for row in series:
        place = places.get(row.model_id)
        found.append(
            SaidOfLesion(
                model=row.model.version,
                chosen=lesion.location_source == row.model.version,
                x=place.x if place else None,
                y=place.y if place else None,
                z=place.z if place else None,
                unknown=place.get_unknown_display() if place else "",
                score=heights.get(row.model_id),
                finding=row.finding,
                sentence=row.sentence,
            )
        )
    return found


def of_series(series: Series, visibility: Visibility, model: str = "") -> list[SaidOfSeries]:
    """What the models, or one of them by its version, said along the slices that may be seen, newest first."""
    rows = [row for row in _of_series(series.pk) if model in ("", row.model.version)]
    seen = visible.slices(visibility).filter(series=series).values("pk")
    said = SliceLocation.objects.filter(slice__in=seen, model__in=[row.model_id for row in rows])
    slices: dict[int, list[SaidOfSlice]] = {}
    for key, number, score, z in said.order_by("slice__number").values_list("model_id", "slice__number", "score", "z"):
        slices.setdefault(key, []).append(SaidOfSlice(number, score, z))
    return [SaidOfSeries(row.model.version, row.finding, row.sentence, slices.get(row.model_id, [])) for row in rows]


def _of_series(series: int) -> list[SeriesLocation]:
    return list(SeriesLocation.objects.filter(series=series).select_related("model").order_by("-model_id"))
