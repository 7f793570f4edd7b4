"""What a harvest was asked for: checked, told without anything that identifies a patient, and found again by a worker.

Accession numbers, names of folders and files can identify, so they never enter the database: a job's parameters count
them and name a file beside the database, which its owner alone can read, by a keyed hash.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from datetime import date, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings

from datasets.pacs.addresses import check_trust, label_of, open_source
from datasets.pacs.deidentify import Pseudonymiser
from datasets.pacs.source import Query, Source
from datasets.services.errors import Refused
from datasets.services.harvest import places
from datasets.services.harvest.slices import DEFAULT_CONTEXT_MM

ANNOTATIONS = frozenset(["SR", "PR"])
"""Modalities of annotation objects by which servers can be searched."""

MOST_NUMBERS = 100_000
"""Accession numbers of one harvest."""

MAX_CONTEXT_MM = 10_000.0

NAME = re.compile(r"[0-9a-f]{64}")

PART = ".order-"


class BadOrder(Refused):
    """A harvest was asked for that makes no sense."""


def context_mm(text: str) -> float | None:
    """Read how much is kept on each side of a lesion: `30mm`, or `series`, which is None.

    Raises
    ------
    ValueError : it is neither.
    """
    if text == "series":
        return None
    value = float(text.removesuffix("mm"))
    if not 0 <= value < MAX_CONTEXT_MM:
        raise ValueError
    return value


@dataclass(frozen=True)
class Order:
    """A harvest to be done."""

    source: str
    """Address, see `addresses.open_source`."""
    collection: str
    """Slug."""
    title: str = ""
    """Of a new collection."""
    accession_numbers: tuple[str, ...] = ()
    first_date: date | None = None
    last_date: date | None = None
    annotated_in: tuple[str, ...] = ()
    since_last: bool = False
    """Only studies that hold more, or less, than when this source was last harvested."""
    documents: tuple[Path, ...] = ()
    context_mm: float | None = DEFAULT_CONTEXT_MM
    """None for the whole volume."""

    def __post_init__(self) -> None:
        if self.first_date and self.last_date and self.first_date > self.last_date:
            raise BadOrder(f"the days run from {self.first_date} to {self.last_date}, which is backwards")
        unknown = set(self.annotated_in) - ANNOTATIONS
        if unknown:
            raise BadOrder(f"annotations are stored in {' or '.join(sorted(ANNOTATIONS))}, not {sorted(unknown)[0]}")
        if self.context_mm is not None and not 0 <= self.context_mm < MAX_CONTEXT_MM:
            raise BadOrder("the context is a number of millimetres, as in 30mm, or `series`")

    @property
    def query(self) -> Query:
        """What to ask the source for; what is new since the last harvest is for the harvest to add."""
        return Query(
            accession_numbers=dict.fromkeys(self.accession_numbers),
            first_date=self.first_date,
            last_date=self.last_date,
            annotated_in=frozenset(self.annotated_in),
        )

    def check(self) -> None:
        """Refuse, before a worker is sent, a source that `open` would refuse without asking it.

        Raises
        ------
        SourceError
        """
        label_of(self.source)
        check_trust(self.source, settings.DICOMWEB_HOSTS)

    def open(self) -> Source:
        """Open the source with its documents.

        Raises
        ------
        SourceError
        """
        return open_source(self.source, self.documents, settings.DICOMWEB_HOSTS)

    def params(self, name: str = "") -> dict[str, Any]:
        """What may be stored and shown of it; `name` is what `keep` gave.

        Raises
        ------
        SourceError : the address is none.
        """
        return {
            "collection": self.collection,
            "source": label_of(self.source),
            "accession_numbers": len(self.accession_numbers),
            "first_date": str(self.first_date or ""),
            "last_date": str(self.last_date or ""),
            "annotations": sorted(self.annotated_in),
            "since_last": self.since_last,
            "documents": len(self.documents),
            "context": "series" if self.context_mm is None else f"{self.context_mm:g}mm",
            "order": name,
        }

    def lines(self) -> list[str]:
        """What is asked for, in words, for a dry run."""
        told = self.params()
        days = " to ".join(filter(None, (told["first_date"], told["last_date"])))
        parts = [
            f"{told['accession_numbers']} accession numbers" if self.accession_numbers else "",
            f"studies {'of' if self.first_date and self.last_date else 'from' if self.first_date else 'until'} {days}"
            if days
            else "",
            f"studies with {' or '.join(told['annotations'])}" if self.annotated_in else "",
            "what is new since the last harvest" if self.since_last else "",
            f"{told['documents']} files with annotations" if self.documents else "",
        ]
        wanted = ", ".join(filter(None, parts)) or "everything"
        kept = "whole series" if self.context_mm is None else f"{told['context']} on each side of a lesion"
        return [f"From {told['source']}: {wanted}; keeping {kept}."]


def accession_numbers(lines: Iterable[str]) -> tuple[str, ...]:
    """Read a list with one accession number per line; empty lines and repeats do not count.

    Raises
    ------
    BadOrder : it holds none, or something that no accession number is.
    """
    found = filter(None, (line.strip().lstrip("\ufeff") for line in lines))
    numbers = list(dict.fromkeys(islice(found, MOST_NUMBERS + 1)))
    if len(numbers) > MOST_NUMBERS:
        raise BadOrder(f"the list holds more than {MOST_NUMBERS:,} accession numbers")
    if not numbers:
        raise BadOrder("the list holds no accession number")
    for place, number in enumerate(numbers, start=1):
        # DICOM PS3.5 6.2: a short string; the limit leaves room for archives that break the rule.
        if len(number) > 64 or not number.isprintable():
            raise BadOrder(f"entry {place} of the list is no accession number")
    return tuple(numbers)


def keep(order: Order, folder: Path, pseudonymiser: Pseudonymiser) -> str:
    """Write an order where a worker finds it, for its owner's eyes alone; equal orders have one name."""
    text, name = _text(order), name_of(order, pseudonymiser)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=PART)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(temporary, folder / f"{name}.json")
    return name


def name_of(order: Order, pseudonymiser: Pseudonymiser) -> str:
    """The name under which an order is kept, whether or not it is."""
    return pseudonymiser.digest("order", _text(order))


def _text(order: Order) -> str:
    return json.dumps(asdict(order), default=str, sort_keys=True)


def find(name: str, folder: Path) -> Order:
    """Read an order that was kept.

    Raises
    ------
    BadOrder : it is not there, or cannot be read.
    """
    try:
        if not NAME.fullmatch(name):
            raise ValueError
        values = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        return Order(**dict(_parsed(values)))
    except (OSError, ValueError, TypeError, KeyError):
        raise BadOrder("what this harvest was asked for is not kept any more; order it anew") from None


def forget(name: str, folder: Path, with_places: bool = True) -> None:
    """Remove an order that is worked off, and where its problems lie; both may name patients."""
    if NAME.fullmatch(name):
        (folder / f"{name}.json").unlink(missing_ok=True)
        if with_places:
            places.file_of(name, folder).unlink(missing_ok=True)


def older_than(age: timedelta, folder: Path) -> list[str]:
    """Names of the orders that were asked for, and tried, longer ago; what was left half-written is removed."""
    latest: dict[str, float] = {}
    limit = time.time() - age.total_seconds()
    for path in folder.iterdir() if folder.is_dir() else ():
        written = path.stat().st_mtime
        if NAME.fullmatch(path.stem):
            latest[path.stem] = max(written, latest.get(path.stem, written))
        elif path.name.startswith((PART, places.PART)) and written <= limit:
            path.unlink(missing_ok=True)
    return [name for name, written in latest.items() if written <= limit]


def _parsed(values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for each in fields(Order):
        value = values[each.name]
        if each.name in ("first_date", "last_date"):
            value = date.fromisoformat(value) if value else None
        elif each.name == "documents":
            value = tuple(map(Path, value))
        elif isinstance(value, list):
            value = tuple(value)
        yield each.name, value
