"""Rows that are known by their number under a parent, as an import finds, completes or adds them.

Ten thousands of patients, studies, series and slices pass through here, so entries are plain lists.
"""

import math
from collections.abc import Sequence
from typing import Any

from django.db.models import Model

from datasets import bulk

Fact = float | str | bool | None
Entry = list[Any]
"""Id, parent's id, number, facts."""


class Contradiction(ValueError):
    """A row says something else than what is known already."""

    def __init__(self, column: str, known: Fact, given: Fact, what: str) -> None:
        super().__init__(f"{given}, but an earlier row of the same {what} says {known}")
        self.column = column


class Ledger:
    """The rows of one table.

    Parameters
    ----------
    parent : the foreign key, with `_id`.
    facts : fields, each with the column of DL_info.csv that tells it; a fact without a column counts from the row
        that tells it first, whatever later rows say.
    """

    def __init__(self, model: type[Model], parent: str, facts: dict[str, str]) -> None:
        self.added = 0
        self._model = model
        self._parent = parent
        self._facts = facts
        self._ids = bulk.reserve_ids(model)
        self._known: dict[tuple[int, int], Entry] = {}
        self._new: list[Entry] = []
        self._completed: dict[int, Entry] = {}

    def load(self, **condition: Any) -> None:
        """Take up what the database holds."""
        fields = ("id", self._parent, "number", *self._facts)
        stored = self._model._default_manager.filter(**condition).order_by().values_list(*fields)
        for entry in stored.iterator(chunk_size=5000):
            self._known[entry[1], entry[2]] = list(entry)

    def is_new(self, row_id: int) -> bool:
        """Tell whether a row waits to be written; it then has nothing below it in the database."""
        return bool(self._new) and row_id >= self._new[0][0]

    def claim(self, parent: int, number: int, facts: Sequence[Fact]) -> int:
        """Give the id of a row, adding it where it is not known and completing what is not known of it.

        Raises
        ------
        Contradiction : a fact differs from what is known.
        """
        entry = self._known.get((parent, number))
        if entry is None:
            entry = [next(self._ids), parent, number, *facts]
            self._known[parent, number] = entry
            self._new.append(entry)
        else:
            self._reconcile(entry, facts)
        return entry[0]

    def _reconcile(self, entry: Entry, facts: Sequence[Fact]) -> None:
        completed = False
        for column, known, given in zip(self._facts.values(), entry[3:], facts, strict=True):
            if known == given or _is_unknown(given):
                continue
            if _is_unknown(known):
                completed = True
            elif column and not _is_close(known, given):
                raise Contradiction(column, known, given, str(self._model._meta.verbose_name))
        if completed:
            entry[3:] = [given if _is_unknown(known) else known for known, given in zip(entry[3:], facts, strict=True)]
            self._completed[entry[0]] = entry

    def flush(self) -> None:
        """Write what is new and what was completed."""
        bulk.insert(self._model, ("id", self._parent, "number", *self._facts), self._new)
        written = {entry[0] for entry in self._new}
        changed = [entry for entry in self._completed.values() if entry[0] not in written]
        bulk.update(self._model, tuple(self._facts), ((*entry[3:], entry[0]) for entry in changed))
        self.added += len(self._new)
        self._new, self._completed = [], {}

    def forget(self) -> None:
        """Drop what is known from memory; `load` brings it back."""
        self._known.clear()


def _is_unknown(fact: Fact) -> bool:
    return fact is None or fact is False or fact == ""


def _is_close(known: Fact, given: Fact) -> bool:
    return isinstance(known, float) and isinstance(given, float) and math.isclose(known, given, rel_tol=1e-5)
