"""Members of a release, each with its line of DL_info.csv."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from django.db.models import QuerySet

from datasets import bulk, dl_info
from datasets.models import Lesion, Release, ReleaseLesion, ReleasePatient, Review
from datasets.services.measure import BOX, POINTS

BATCH = 1000

WINDOW = (-175.0, 275.0)
"""For slices whose source gave none: the soft tissue window, which most published slices have."""

_SERIES = "slice__series"
_STUDY = f"{_SERIES}__study"
_PATIENT = f"{_STUDY}__patient"
_COLUMNS = (
    "pk",
    "verdict",
    f"{_PATIENT}_id",
    f"{_PATIENT}__number",
    f"{_STUDY}__number",
    f"{_SERIES}__number",
    "slice__number",
    *POINTS,
    *BOX,
    *("long_px", "short_px", "x", "y", "z", "type", "possibly_noisy", "first_slice", "last_slice"),
    *(f"{_SERIES}__{name}" for name in ("spacing_x", "spacing_y", "slice_interval", "columns", "rows")),
    *("slice__slice_interval", "slice__window_low", "slice__window_high"),
    *(f"{_PATIENT}__sex", f"{_STUDY}__age"),
)


def write(release: Release, lesions: QuerySet[Lesion], check: Callable[[], None] = lambda: None) -> None:
    """Make members of those `lesions`, annotated with their latest verdict, whose patients have a split.

    Parameters
    ----------
    check : called every thousand members; what it raises ends this.
    """
    patients = ReleasePatient.objects.filter(release=release).order_by().values_list("patient_id", "pk", "split")
    splits = {patient: (member, code) for patient, member, code in patients}
    place = (f"{_PATIENT}__number", f"{_STUDY}__number", f"{_SERIES}__number", "slice__number", "number")
    found = lesions.order_by(*place).values_list(*_COLUMNS).iterator(chunk_size=BATCH)
    rows = (_member(release, splits, values) for values in found if values[2] in splits)
    while batch := list(islice(rows, BATCH)):
        bulk.insert(ReleaseLesion, ("release_id", "member_id", "lesion_id", "line"), batch)
        check()


def _member(release: Release, splits: dict[int, tuple[int, int]], values: tuple[Any, ...]) -> tuple[Any, ...]:
    lesion, verdict, patient, *rest = values
    member, code = splits[patient]
    return release.pk, member, lesion, dl_info.format_line(_row(iter(rest), verdict == Review.Verdict.KEEP, code))


def _row(values: Iterator[Any], kept: bool, split: int) -> dl_info.Row:
    """The official row of a lesion; what a person has said is a lesion is not noise."""

    def take(count: int) -> tuple[Any, ...]:
        return tuple(islice(values, count))

    patient, study, series, number = take(4)
    points, box, lengths, location = take(8), take(4), take(2), take(3)
    kind, noisy = take(2)
    span, spacing = take(2), take(2)
    (of_series,), size, (of_slice,) = take(1), take(2), take(1)
    window, (sex, age) = take(2), take(2)
    return dl_info.Row(
        patient,
        study,
        series,
        number,
        points,
        box,
        lengths,
        None if None in location else location,
        kind,
        noisy and not kept,
        span,
        spacing,
        of_series if of_slice is None else of_slice,
        size,
        WINDOW if None in window else window,
        sex,
        age,
        split,
    )
