"""Orders that never tie, and pages by key instead of by offset: the last page costs what the first one does."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Model, Q, QuerySet

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
    backwards, start, values = _decode(cursor, len(order)) if cursor else (False, 1, None)
    direction = _reverse(order) if backwards else list(order)
    if values is not None:
        rows = rows.filter(_beyond(direction, values))
    found = list(rows.order_by(*direction)[: size + 1])
    more, found = len(found) > size, found[:size]
    if backwards:
        found.reverse()
        start = max(1, start - len(found))
    has_next = more or backwards
    has_previous = more if backwards else values is not None
    return Page(
        items=found,
        start=start if found else 0,
        next=_encode(False, start + len(found), found[-1], order) if found and has_next else None,
        previous=_encode(True, start, found[0], order) if found and has_previous else None,
    )


def beside(rows: QuerySet[T], item: T, order: Sequence[str]) -> tuple[T | None, T | None]:
    """Find the rows just before and just after one, which need not be among them."""
    values = [_value(item, field) for field in order]
    before = rows.filter(_beyond(_reverse(order), values)).order_by(*_reverse(order)).first()
    after = rows.filter(_beyond(order, values)).order_by(*order).first()
    return before, after


def _reverse(order: Sequence[str]) -> list[str]:
    return [field[1:] if field.startswith("-") else f"-{field}" for field in order]


def _beyond(order: Sequence[str], values: Sequence[int]) -> Q:
    """Rows after the given key in lexicographic order."""
    condition = Q()
    equal = Q()
    for field, value in zip(order, values, strict=True):
        name, lookup = (field[1:], "lt") if field.startswith("-") else (field, "gt")
        condition |= equal & Q(**{f"{name}__{lookup}": value})
        equal &= Q(**{name: value})
    # Redundant, but it lets the database start in an index at the first field.
    first = order[0]
    name, lookup = (first[1:], "lte") if first.startswith("-") else (first, "gte")
    return Q(**{f"{name}__{lookup}": values[0]}) & condition


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
