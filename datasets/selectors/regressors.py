"""Read queries for the page of a body-part regressor: what it said along series, and at the same height in many."""

from dataclasses import dataclass

from django.db.models import Count, F, Prefetch, QuerySet
from django.db.models.functions import Abs, Greatest

from datasets.models import LocationModel, ReleasePatient, Series, SeriesLocation, Slice, SliceLocation, Split
from datasets.selectors import visibility as visible
from datasets.selectors.visibility import Visibility

HEIGHTS = tuple(round(0.1 * step, 1) for step in range(1, 10))
NEAR = 0.02
"""Greatest distance (z) of a slice from the height that it stands for."""
LINED_UP = ("reversed", "partly reversed", "shuffled")
"""Findings that say something about the series rather than the model."""

_MOST = 4000
_PATIENT = "slice__series__study__patient_id"


@dataclass(frozen=True, slots=True)
class Curve:
    """Heights along one series: mm from its first slice, what each slice says alone, what was made of it."""

    folder: str
    split: str
    finding: str
    mm: list[float]
    single: list[float]
    smoothed: list[float | None]


@dataclass(frozen=True, slots=True)
class Height:
    """Slices of different patients that a model puts at one height."""

    z: float
    slices: list[tuple[Slice, float]]


def models(visibility: Visibility) -> list[LocationModel]:
    """All trained regressors, newest first, with the collections whose lesions they place, as far as they may be
    seen."""
    placed = Prefetch("collections", queryset=visible.collections(visibility))
    return list(LocationModel.objects.prefetch_related(placed))


def newest() -> LocationModel | None:
    """The regressor that was trained last."""
    return LocationModel.objects.first()


def findings(model: LocationModel, visibility: Visibility) -> list[tuple[str, str, int]]:
    """Finding, its sentence and the number of series that may be seen, most frequent first."""
    found = SeriesLocation.objects.filter(model=model, series__in=visible.series(visibility).values("pk"))
    rows = found.order_by().values_list("finding", "sentence")
    return sorted(rows.annotate(n=Count("id")), key=lambda row: -row[2])


def odd_series(model: LocationModel, visibility: Visibility, limit: int) -> list[tuple[Series, str]]:
    """Series whose slices run backwards or are out of order, with the finding's sentence."""
    found = SeriesLocation.objects.filter(
        model=model, finding__in=LINED_UP, series__in=visible.series(visibility).values("pk")
    )
    rows = found.select_related("series__study__patient__collection").order_by("series_id")[:limit]
    return [(row.series, row.sentence) for row in rows]


def curves(model: LocationModel, visibility: Visibility, count: int) -> list[Curve]:
    """Scores along the longest series of patients that took no part in the training, one series per patient."""
    held_out = ReleasePatient.objects.filter(release__name=model.trained_on).exclude(split=Split.TRAIN)
    splits = {row.patient_id: row.get_split_display() for row in held_out}
    rows = (
        visible.series(visibility)
        .filter(study__patient__in=splits, locations__model=model)
        .select_related("study__patient")
        .annotate(stored=Count("slices"))
        .order_by("-stored", "pk")
    )
    longest: dict[int, Series] = {}
    for series in rows[: 50 * count]:
        longest.setdefault(series.study.patient_id, series)
    return [_curve(model, series, splits[patient]) for patient, series in list(longest.items())[:count]]


def _curve(model: LocationModel, series: Series, split: str) -> Curve:
    scored = SliceLocation.objects.filter(model=model, slice__series=series, score__isnull=False)
    rows = list(scored.order_by("slice__number").values_list("slice__number", "score", "z"))
    first = rows[0][0] if rows else 0
    return Curve(
        folder=series.folder,
        split=split,
        finding=SeriesLocation.objects.get(model=model, series=series).finding,
        mm=[(number - first) * (series.slice_interval or 1.0) for number, _, _ in rows],
        single=[score for _, score, _ in rows if score is not None],
        smoothed=[z for _, _, z in rows],
    )


def strip(model: LocationModel, visibility: Visibility, patients: int) -> list[Height]:
    """Per height the slices of different patients that are nearest to it; fewer, or none, where nobody was scanned."""
    seen = visible.slices(visibility).values("pk")
    located = SliceLocation.objects.filter(model=model, slice__stored=True, slice__in=seen)
    chosen = [(height, _nearest(located, height, patients)) for height in HEIGHTS]
    keys = [pk for _, found in chosen for pk, _ in found]
    slices = visible.slices(visibility).in_bulk(keys)
    return [Height(height, [(slices[pk], z) for pk, z in found]) for height, found in chosen]


def _nearest(located: QuerySet[SliceLocation], height: float, patients: int) -> list[tuple[int, float]]:
    """Key and z of slices of different patients, those first that stand at the height by themselves as well as along
    their series: a slice that looks like another height shows another one."""
    near = located.filter(z__gte=height - NEAR, z__lte=height + NEAR, score__isnull=False)
    off = Greatest(Abs(F("z") - height), Abs(F("score") - height))
    rows = near.annotate(off=off).order_by("off", "slice_id").values_list(_PATIENT, "slice_id", "z", "off")
    best: dict[int, tuple[float, int, float]] = {}
    for patient, pk, z, distance in rows[:_MOST]:
        if z is not None:
            best.setdefault(patient, (distance, pk, z))
    return [(pk, z) for _, pk, z in sorted(best.values())[:patients]]
