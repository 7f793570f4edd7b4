"""The harvest report: what was found, by reason, year, modality and tool, for one collection (paper Figs. 3 to 5)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q

from datasets.models import Annotation, Collection

PARTS = ("reasons", "years", "modalities", "tools")
"""The tables of a report, by their names in a job's result."""

_TITLES = {
    "reasons": "What became of each annotation",
    "years": "Annotations by year of the study",
    "modalities": "Annotations by modality of the image",
    "tools": "Annotations by tool",
}
_COLUMNS = {"reasons": "reason", "years": "year", "modalities": "modality", "tools": "tool"}


@dataclass(frozen=True, slots=True)
class Table:
    """One way to count: name of the part, title, and per row the key, its words and the count."""

    name: str
    title: str
    rows: list[tuple[str, str, int]]


def of_collection(collection: Collection) -> list[Table]:
    """Count every annotation of a collection, those that became a lesion among them."""
    rows = Annotation.objects.filter(collection=collection).order_by()
    counts = {
        part: {
            str("" if key is None else key): count
            for key, count in rows.values_list(_COLUMNS[part]).annotate(n=Count("id"))
        }
        for part in PARTS
    }
    return tables(counts)


def lesions_of(collection: Collection) -> tuple[int, int]:
    """All annotations of a collection, and how many of them became a lesion."""
    found = Annotation.objects.filter(collection=collection).aggregate(
        every=Count("id"), kept=Count("id", filter=Q(reason=""))
    )
    return found["every"], found["kept"]


def tables(counts: Mapping[str, Mapping[str, int]]) -> list[Table]:
    """Lay out counts by part and key: years in order, everything else with the most frequent first."""
    found = []
    for part in PARTS:
        rows = [(key, words(part, key), count) for key, count in counts.get(part, {}).items()]
        rows.sort(key=lambda row: row[0] if part == "years" else (-row[2], row[1]))
        found.append(Table(part, _TITLES[part], rows))
    return found


def words(part: str, key: str) -> str:
    """A key as people read it."""
    if part == "reasons" and key in Annotation.Reason.values:
        return str(Annotation.Reason(key).label)
    if part == "tools" and key in Annotation.Tool.values:
        return str(Annotation.Tool(key).label)
    return key or "unknown"


def as_json(found: list[Table]) -> dict[str, Any]:
    """The same for a program: per part the counts by key."""
    empty = {"reasons": "lesion"}
    return {
        table.name: {key or empty.get(table.name, "unknown"): count for key, _, count in table.rows} for table in found
    }
