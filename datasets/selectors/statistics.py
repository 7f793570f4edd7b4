"""Counts and distributions of lesions, each in one query."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from django.db.models import Case, Count, ExpressionWrapper, F, FloatField, IntegerField, Max, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce

from datasets import dl_info
from datasets.models import Annotation, Collection, Lesion

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


@dataclass(frozen=True, slots=True)
class Part:
    """What one of several collections brings to figures that count them together."""

    collection: Collection
    lesions: int
    studies: int
    patients: int
    marks: int
    """Bookmarks, whatever became of them; a published dataset brings none."""


def parts(rows: QuerySet[Lesion], marks: QuerySet[Annotation], collections: Iterable[Collection]) -> list[Part]:
    """Lesions, studies, patients and bookmarks of each collection, those with most lesions first."""
    lesions = {
        key: counts
        for key, *counts in rows.order_by()
        .values_list(f"{_STUDY}__patient__collection")
        .annotate(
            lesions=Count("id"),
            studies=Count(_STUDY, distinct=True),
            patients=Count(f"{_STUDY}__patient", distinct=True),
        )
    }
    bookmarks = dict(marks.order_by().values_list("collection").annotate(n=Count("id")))
    found = []
    for each in collections:
        counted, studies, patients = lesions.get(each.pk, (0, 0, 0))
        found.append(Part(each, counted, studies, patients, bookmarks.get(each.pk, 0)))
    return sorted((part for part in found if part.lesions or part.marks), key=lambda part: -part.lesions)


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


@dataclass(frozen=True, slots=True)
class BoxSizes:
    """How boxes are spread over width and height in mm (Fig. 6 of the paper)."""

    step: int
    grid: list[list[int]]
    """Counts as [height][width] in squares of `step` mm."""
    larger: int
    """Boxes outside the grid."""
    median: tuple[float, float]
    """Width and height in mm."""
    largest: tuple[float, float]
    """Greatest width and greatest height in mm, of whichever boxes."""

    @property
    def limit(self) -> int:
        """Where the grid ends, in mm."""
        return self.step * len(self.grid)


BOX_CELLS = 40
"""At most so many squares along a side."""
BOX_SHARE = 0.995
"""The grid ends where it holds so much of the boxes: a few giants must not squeeze the rest into a corner."""


def box_sizes(rows: QuerySet[Lesion]) -> BoxSizes | None:
    """Spread the boxes over width and height, on a grid that follows them; None without any."""
    series = "slice__series__spacing"
    sides = rows.order_by().values_list(
        ExpressionWrapper((F("box_x2") - F("box_x1")) * F(f"{series}_x"), FloatField()),
        ExpressionWrapper((F("box_y2") - F("box_y1")) * F(f"{series}_y"), FloatField()),
    )
    sizes = np.array(list(sides.iterator(chunk_size=5000)), dtype=float).reshape(-1, 2)
    if not len(sizes):
        return None
    longer = np.sort(sizes.max(axis=1))
    reach = longer[max(0, math.ceil(BOX_SHARE * len(longer)) - 1)]
    step = next((step for step in (1, 2, 4, 5, 10) if step * BOX_CELLS > reach), math.ceil(reach / BOX_CELLS) + 1)
    cells = math.floor(reach / step) + 1
    at = (sizes // step).astype(int)
    inside = at[(at < cells).all(axis=1)]
    grid = np.zeros((cells, cells), dtype=int)
    np.add.at(grid, (inside[:, 1], inside[:, 0]), 1)
    width, height = np.median(sizes, axis=0)
    widest, highest = sizes.max(axis=0)
    return BoxSizes(
        step, grid.tolist(), len(sizes) - len(inside), (float(width), float(height)), (float(widest), float(highest))
    )


def intervals(rows: QuerySet[Lesion]) -> list[tuple[float | None, int]]:
    """Lesions per slice interval in mm to three significant digits, in order; None where it is not known."""
    found = (
        rows.order_by()
        .annotate(
            interval=Coalesce("slice__slice_interval", "slice__series__slice_interval", output_field=FloatField())
        )
        .values_list("interval")
        .annotate(n=Count("id"))
    )
    counts: Counter[float | None] = Counter()
    for interval, count in found:
        # A tilted gantry gives 4.93844 mm, and each series a little different.
        counts[None if interval is None else float(f"{interval:.3g}")] += count
    return sorted(counts.items(), key=lambda item: (item[0] is None, item[0] or 0.0))


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
