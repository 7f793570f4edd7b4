"""Many rows in little time: one prepared statement, and ids that are known before the rows are written.

Model instances cost more than the database does when there are ten thousands of them. Constraints and triggers
stand in the database, so what is written here is held to them as well.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db import connection
from django.db.models import Model

BLOCK = 1000
"""Ids taken from a sequence at a time."""

Rows = Iterable[Sequence[Any]]


def reserve_ids(model: type[Model]) -> Iterator[int]:
    """Give ids that no row of the table has or will get; to be used within the transaction that asked for them."""
    return _counted_ids(model) if connection.vendor == "sqlite" else _sequence_ids(model)


def _counted_ids(model: type[Model]) -> Iterator[int]:
    # A transaction holds SQLite's only write lock, so nobody else counts on meanwhile.
    with connection.cursor() as cursor:
        cursor.execute("SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = %s", [model._meta.db_table])
        last = cursor.fetchone()[0]
    while True:
        last += 1
        yield last


def _sequence_ids(model: type[Model]) -> Iterator[int]:
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)",
                [model._meta.db_table, BLOCK],
            )
            block = cursor.fetchall()
        for (value,) in block:
            yield value


def insert(model: type[Model], fields: Sequence[str], rows: Rows) -> None:
    """Insert rows of plain values; a field that is not named becomes NULL.

    Parameters
    ----------
    fields : attribute names, foreign keys with `_id`.
    rows : values in the order of `fields`; JSON as text.
    """
    table, columns = _names(model, fields)
    places = ", ".join(["%s"] * len(fields))
    _run(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})", rows)  # noqa: S608 (names of the model)


def update(model: type[Model], fields: Sequence[str], rows: Rows) -> None:
    """Set `fields` of the rows whose id stands last in each of `rows`."""
    table, columns = _names(model, fields)
    changes = ", ".join(f"{column} = %s" for column in columns)
    _run(f"UPDATE {table} SET {changes} WHERE id = %s", rows)  # noqa: S608 (names of the model)


def analyze(*models: type[Model]) -> None:
    """Let PostgreSQL count tables that were just filled: until then it takes them for empty and plans accordingly.

    Its own daemon counts later, and not before the transaction that fills them has ended.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for model in models:
                cursor.execute(f"ANALYZE {connection.ops.quote_name(model._meta.db_table)}")


def _run(statement: str, rows: Rows) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(statement, list(rows))


def _names(model: type[Model], fields: Sequence[str]) -> tuple[str, list[str]]:
    """The table and the columns of some fields, quoted."""
    columns = {field.attname: field.column for field in model._meta.concrete_fields}
    quote = connection.ops.quote_name
    return quote(model._meta.db_table), [quote(columns[name] or name) for name in fields]
