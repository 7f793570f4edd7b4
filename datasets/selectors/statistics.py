"""Counts and distributions of lesions, each in one query."""

from dataclasses import dataclass

from django.db.models import Case, Count, F, FloatField, IntegerField, Max, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce, Floor

from datasets import dl_info
from datasets.models import Lesion

SIZE_BINS = (
    ("< 10", 0, 10),
    ("10–15", 10, 15),
    ("15–20", 15, 20),
    ("20–25", 20, 25),
    ("25–30", 25, 30),
    ("30–40", 30, 40),
    ("40–50", 40, 50),
    ("≥ 50", 50, None),
)
"""Mean of long and short diameter in mm, left-closed."""

_STUDY = "slice__series__study"


@dataclass(frozen=True, slots=True)
class Headline:
    lesions: int
    slices: int
    studies: int
    patients: int
    located: int

    @property
    def unlocated(self) -> int:
        """Lesions without a place in the body."""
        return self.lesions - self.located


def headline(rows: QuerySet[Lesion]) -> Headline:
    """Lesions, key slices, studies and patients, and how many lesions have a place in the body."""
    return Headline(
        **rows.aggregate(
            lesions=Count("id"),
            slices=Count("slice", distinct=True),
            studies=Count(_STUDY, distinct=True),
            patients=Count(f"{_STUDY}__patient", distinct=True),
            located=Count("id", filter=Q(x__isnull=False, z__isnull=False)),
        )
    )


def types(rows: QuerySet[Lesion]) -> dict[int, int]:
    """Lesions per type code, every type named."""
    found = dict(rows.order_by().values_list("type").annotate(n=Count("id")))
    return {code: found.get(code, 0) for code in dl_info.TYPES}


def sizes_by_type(rows: QuerySet[Lesion]) -> dict[int, list[int]]:
    """Lesions per type code and bin of `SIZE_BINS`."""
    # The mean of two whole numbers of micrometres, doubled, so that no rounding moves a lesion over an edge.
    cases = [
        When(double_um__lt=high * 2000, then=Value(index)) for index, (_, _, high) in enumerate(SIZE_BINS) if high
    ]
    found = (
        rows.order_by()
        .annotate(double_um=F("long_um") + F("short_um"))
        .annotate(bin=Case(*cases, default=Value(len(SIZE_BINS) - 1), output_field=IntegerField()))
        .values_list("type", "bin")
        .annotate(n=Count("id"))
    )
    table = {code: [0] * len(SIZE_BINS) for code in dl_info.TYPES}
    for code, index, count in found:
        table[code][index] = count
    return table


def box_sizes(rows: QuerySet[Lesion], *, step: int = 4, limit: int = 120) -> tuple[list[list[int]], int]:
    """How boxes are spread over width and height in mm (Fig. 6 of the paper).

    Returns
    -------
    Counts as [height][width] in squares of `step` mm up to `limit`, and how many boxes are larger.
    """
    cells = limit // step
    found = (
        rows.order_by()
        .annotate(
            column=Floor(
                (F("box_x2") - F("box_x1")) * F("slice__series__spacing_x") / Value(float(step)),
                output_field=IntegerField(),
            ),
            line=Floor(
                (F("box_y2") - F("box_y1")) * F("slice__series__spacing_y") / Value(float(step)),
                output_field=IntegerField(),
            ),
        )
        .values_list("column", "line")
        .annotate(n=Count("id"))
    )
    grid = [[0] * cells for _ in range(cells)]
    larger = 0
    for column, line, count in found:
        if column < cells and line < cells:
            grid[int(line)][int(column)] += count
        else:
            larger += count
    return grid, larger


def intervals(rows: QuerySet[Lesion]) -> list[tuple[float | None, int]]:
    """Lesions per slice interval in mm; None where it is not known."""
    return list(
        rows.order_by()
        .annotate(
            interval=Coalesce("slice__slice_interval", "slice__series__slice_interval", output_field=FloatField())
        )
        .values_list("interval")
        .annotate(n=Count("id"))
        .order_by(F("interval").asc(nulls_last=True))
    )


def ages(rows: QuerySet[Lesion], *, step: int = 10) -> dict[str, list[int]]:
    """Patients per sex and decade of their greatest age, 0-9 to 90 and over, unknown age last."""
    found = (
        rows.order_by()
        .values_list(f"{_STUDY}__patient", f"{_STUDY}__patient__sex")
        .annotate(age=Max(f"{_STUDY}__age"))
    )
    table: dict[str, list[int]] = {sex: [0] * 11 for sex in ("F", "M", "")}
    for _, sex, age in found.iterator(chunk_size=5000):
        table[sex][10 if age is None else min(age // step, 9)] += 1
    return table


def median(rows: QuerySet[Lesion], field: str) -> float | None:
    """The middle value of an indexed length in micrometres, as mm."""
    values = rows.order_by(field).values_list(field, flat=True)
    count = rows.count()
    if not count:
        return None
    middle = list(values[(count - 1) // 2 : count // 2 + 1])
    return sum(middle) / len(middle) / 1000
