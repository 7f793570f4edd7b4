"""The table of runs: what each reached in the test split, in the order that was asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from detection.models import Evaluation, TrainingRun

LIMIT = 200
"""The newest so many are shown."""


@dataclass(frozen=True, slots=True)
class Row:
    """One run and its result."""

    run: TrainingRun
    evaluation: Evaluation | None
    """The usual one, once it is done: test split, the literature's convention, overlap 0.5."""
    unfinished: Evaluation | None
    """One that is on its way."""

    @property
    def sensitivities(self) -> list[float | None]:
        """At 0.5, 1, 2 and 4 false positives per image."""
        found = self.evaluation.sensitivity if self.evaluation else {}
        return [found.get(point) for point in POINTS]

    @property
    def is_unfinished(self) -> bool:
        """Whether the page should ask again."""
        return self.run.is_unfinished or self.unfinished is not None


POINTS = ("0.5", "1", "2", "4")

Key = Callable[[Row], Any]

COLUMNS: dict[str, tuple[str, Key]] = {
    "run": ("Run", lambda row: row.run.pk),
    "preset": ("Preset", lambda row: row.run.preset),
    "release": ("Release", lambda row: row.run.release),
    "share": ("Share", lambda row: row.run.fraction),
    "state": ("State", lambda row: row.run.state),
    **{
        point: (point, lambda row, place=place: row.sensitivities[place])  # type: ignore[misc]
        for place, point in enumerate(POINTS)
    },
    "average": ("Average", lambda row: row.evaluation and row.evaluation.average_sensitivity),
    "time": ("Trained in", lambda row: row.run.seconds),
}
"""What may be sorted by: heading and value."""

DEFAULT = "-run"


def usual(evaluations: list[Evaluation]) -> Evaluation | None:
    """The evaluation that tables compare, if there is one: of the best checkpoint before one of the last."""
    usable = [
        each
        for each in evaluations
        if (each.state, each.split, each.convention, each.iou) == ("done", "test", "deeplesion", 0.5)
    ]
    return min(usable, key=lambda each: each.checkpoint, default=None)


def row_of(run: TrainingRun) -> Row:
    """Lay out a run whose evaluations were fetched along."""
    evaluations = list(run.evaluations.all())
    unfinished = next((each for each in evaluations if each.is_unfinished), None)
    return Row(run, usual(evaluations), unfinished)


def in_order(rows: list[Row], wanted: str) -> list[Row]:
    """Sort by a column, descending with a minus before it; what has no value stands last either way."""
    name = wanted.removeprefix("-")
    key = COLUMNS[name][1]
    known = [row for row in rows if key(row) is not None]
    rest = [row for row in rows if key(row) is None]
    return sorted(known, key=key, reverse=wanted.startswith("-")) + rest


def heads(wanted: str) -> list[dict[str, str]]:
    """Headings with what a click on them sorts by."""
    made = []
    for name, (label, _) in COLUMNS.items():
        first = name if name in ("preset", "release", "state") else f"-{name}"
        other = name if first.startswith("-") else f"-{name}"
        chosen = wanted.removeprefix("-") == name
        made.append(
            {
                "name": name,
                "label": label,
                "sort": other if wanted == first else first,
                "sorted": ("descending" if wanted.startswith("-") else "ascending") if chosen else "",
            }
        )
    return made
