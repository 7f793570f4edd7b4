"""Orders that never tie, and pages by key instead of by offset: the last page costs what the first one does."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Model, QuerySet

T = TypeVar("T", bound=Model)

_FILE = (
    "slice__series__study__patient__collection_id",
    "slice__series__study__patient__number",
    "slice__series__study__number",
    "slice__series__number",
    "slice__number",
    "number",
)
_BASE = {
    "file": _FILE,
    "long_mm": ("long_um", "id"),
    "short_mm": ("short_um", "id"),
    "id": ("id",),
}
LESION_ORDERS: dict[str, tuple[str, ...]] = {
    **_BASE,
    **{f"-{name}": tuple(f"-{field}" for field in fields) for name, fields in _BASE.items()},
}
"""What `ordering` may be; sizes are ordered by their whole micrometres."""


class BadCursor(ValueError):
    """The cursor was not made by this list in this order."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A stretch of a list; `start` counts from 1 and is 0 when it is empty."""

    items: list[T]
    start: int
    next: str | None
    previous: str | None

    @property
    def end(self) -> int:
        """Place of the last item."""
        return self.start + len(self.items) - 1 if self.items else 0


def page(rows: QuerySet[T], *, order: Sequence[str], size: int, cursor: str = "") -> Page[T]:
    """Cut one page out of a queryset.

    Parameters
    ----------
    rows : without an order of its own.
    order : names of integer fields, `-` for descending, that together are unique.
    cursor : from `Page.next` or `Page.previous`; empty for the first page.

    Raises
    ------
    BadCursor : it does not belong to this order.
    """
    backwards, start, values = _decode(cursor, len(order)) if cursor else (False, 1, [])
    direction = _reverse(order) if backwards else list(order)
    # An empty key has every row after it.
    found = _after(rows, direction, values, size + 1)
    more, found = len(found) > size, found[:size]
    if backwards:
        found.reverse()
        start = max(1, start - len(found))
    has_next = more or backwards
    has_previous = more if backwards else bool(values)
    return Page(
        items=found,
        start=start if found else 0,
        next=_encode(False, start + len(found), found[-1], order) if found and has_next else None,
        previous=_encode(True, start, found[0], order) if found and has_previous else None,
    )


def beside(rows: QuerySet[T], item: T, order: Sequence[str]) -> tuple[T | None, T | None]:
    """Find the rows just before and just after one, which need not be among them."""
    values = [_value(item, field) for field in order]
    before, after = _after(rows, _reverse(order), values, 1), _after(rows, order, values, 1)
    return (before[0] if before else None), (after[0] if after else None)


def _reverse(order: Sequence[str]) -> list[str]:
    return [field[1:] if field.startswith("-") else f"-{field}" for field in order]


def _after(rows: QuerySet[T], order: Sequence[str], values: Sequence[int], limit: int) -> list[T]:
    """Rows after a key in lexicographic order.

    Looks close by first (same slice, same series, same study, ...): each step is a range of an index, where one
    condition for all of them would make the database sort the whole table.
    """
    names = [field.removeprefix("-") for field in order]
    if not values:
        return list(rows.order_by(*order)[:limit])
    found: list[T] = []
    for depth in range(len(order) - 1, -1, -1):
        lookup = "lt" if order[depth].startswith("-") else "gt"
        near = dict(zip(names[:depth], values[:depth], strict=True))
        step = rows.filter(**near, **{f"{names[depth]}__{lookup}": values[depth]})
        found += step.order_by(*order)[: limit - len(found)]
        if len(found) >= limit:
            break
    return found


def _value(item: Model, field: str) -> int:
    value: Any = item
    for part in field.removeprefix("-").split("__"):
        value = getattr(value, part)
    return int(value)


def _encode(backwards: bool, start: int, item: Model, order: Sequence[str]) -> str:
    content = json.dumps([int(backwards), start, *(_value(item, field) for field in order)], separators=(",", ":"))
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def _decode(cursor: str, length: int) -> tuple[bool, int, list[int]]:
    try:
        content = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error) as error:
        raise BadCursor("The cursor is not one that this list gave out.") from error
    whole = isinstance(content, list) and all(type(value) is int and abs(value) < 2**62 for value in content)
    if not whole or len(content) != length + 2 or content[0] not in (0, 1) or content[1] < 1:
        raise BadCursor("The cursor is not one that this list gave out in this order.")
    return bool(content[0]), content[1], content[2:]
