"""Does the database hold what the models say: every column, unique and foreign key, check and index?

A constraint that somebody dropped breaks no row today, and lets one in tomorrow.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from django.apps import apps
from django.db import connection
from django.db.backends.sqlite3.introspection import DatabaseIntrospection as OfSqlite
from django.db.models import CheckConstraint, Model, UniqueConstraint


class _OfSqlite(OfSqlite):
    """Without collations, which no field of ours has: Django fails to read them beside a check with `IN (…, …)`."""

    def _get_column_collations(self, *_: Any) -> dict[str, str]:
        return {}


def models() -> list[type[Model]]:
    """Every model that has a table of its own, the site's and Django's, with those between two of them."""
    return [model for model in apps.get_models(include_auto_created=True) if model._meta.managed]


def unique_groups(model: type[Model]) -> Iterator[tuple[str, ...]]:
    """Names of fields that no two rows of a model share, apart from its named constraints and the primary key."""
    for field in model._meta.local_concrete_fields:
        if field.unique and not field.primary_key:
            yield (field.name,)
    yield from map(tuple, model._meta.unique_together)


def missing() -> Iterator[str]:
    """One sentence for everything that the models ask for and the database does not hold."""
    introspection = _OfSqlite(connection) if connection.vendor == "sqlite" else connection.introspection
    with connection.cursor() as cursor:
        tables = set(introspection.table_names(cursor))
        for model in models():
            table = model._meta.db_table
            if table not in tables:
                yield f"the table {table} is missing"
                continue
            described = introspection.get_table_description(cursor, table)
            held = introspection.get_constraints(cursor, table)
            for what in (*_columns(model, described), *_of_fields(model, held), *_named(model, held)):
                yield f"{table}: {what}"


def _columns(model: type[Model], described: list[Any]) -> Iterator[str]:
    empty = {column.name: bool(column.null_ok) for column in described}
    for field in model._meta.local_concrete_fields:
        if field.column not in empty:
            yield f"the column {field.column} is missing"
        elif empty[field.column] and not field.null and not field.primary_key:
            yield f"the column {field.column} may be empty, and must not"


def _of_fields(model: type[Model], held: dict[str, Any]) -> Iterator[str]:
    """What a field brings with it: its name differs from database to database, so columns tell."""
    named = {each.name for each in (*model._meta.constraints, *model._meta.indexes)}
    found = [each for name, each in held.items() if name not in named]
    unique = [each["columns"] for each in found if each["unique"] or each["primary_key"]]
    checked = {column for each in found if each["check"] for column in each["columns"] or ()}
    indexed = [each["columns"] for each in found if each["index"]]
    keys = [(each["columns"], tuple(each["foreign_key"])) for each in found if each["foreign_key"]]
    for group in unique_groups(model):
        columns = _columns_of(model, group)
        if not any(sorted(columns) == sorted(each) for each in unique):
            yield f"nothing holds {', '.join(columns)} to be unique"
    fields: tuple[Any, ...] = model._meta.local_concrete_fields
    for field in fields:
        if field.primary_key and [field.column] not in unique:
            yield f"the primary key {field.column} is missing"
        if field.remote_field is not None and field.db_constraint:
            other = field.target_field.model._meta.db_table
            if ([field.column], (other, field.target_field.column)) not in keys:
                yield f"the foreign key {field.column} to {other} is missing"
        if field.db_index and not field.unique and [field.column] not in indexed:
            yield f"the index on {field.column} is missing"
        if field.db_check(connection) and field.column not in checked:
            yield f"nothing checks {field.column}"


def _named(model: type[Model], held: dict[str, Any]) -> Iterator[str]:
    for constraint in model._meta.constraints:
        kind = "check" if isinstance(constraint, CheckConstraint) else "unique"
        found = held.get(constraint.name)
        if found is None or not found[kind]:
            yield f"the constraint {constraint.name} is missing"
        elif isinstance(constraint, UniqueConstraint) and found["columns"] != _columns_of(model, constraint.fields):
            yield f"the constraint {constraint.name} holds something else than it should"
    for index in model._meta.indexes:
        if index.name not in held or not held[index.name]["index"]:
            yield f"the index {index.name} is missing"


def _columns_of(model: type[Model], names: Iterable[str]) -> list[str]:
    fields: list[Any] = [model._meta.get_field(name) for name in names]
    return [field.column for field in fields]
