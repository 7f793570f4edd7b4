"""SQL that no model or service sees, as tests send it."""

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import Model


def run(sql: str, *values: object) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        # Foreign keys are looked at when a transaction ends, and that of a test never does.
        connection.check_constraints()
        cursor.execute(sql, values)
        connection.check_constraints()


def refused(sql: str, *values: object, match: str | None = None) -> None:
    with pytest.raises(DatabaseError, match=match):
        run(sql, *values)


def set_(row: Model, **columns: Any) -> tuple[Any, ...]:
    """An UPDATE of one row, as arguments of `run` and `refused`."""
    changes = ", ".join(f"{column} = %s" for column in columns)
    return f"UPDATE {row._meta.db_table} SET {changes} WHERE id = %s", *columns.values(), row.pk


def insert(row: Model, **columns: Any) -> tuple[Any, ...]:
    """An INSERT of a row's values with some changed, as arguments of `run` and `refused`."""
    values = {field.column: getattr(row, field.attname) for field in row._meta.concrete_fields if field.name != "id"}
    values |= columns
    names, places = ", ".join(values), ", ".join(["%s"] * len(values))
    return f"INSERT INTO {row._meta.db_table} ({names}) VALUES ({places})", *values.values()
