"""Are all constraints there and kept by every row, and the triggers in place that hold what constraints cannot?"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from django.db import connection
from django.db.models import CheckConstraint, Count, Model, Q, UniqueConstraint

from datasets import frozen
from deeplesion_site.accounts import append_only
from deeplesion_site.upkeep import check_schema
from workers import rules as job_rules

TRIGGERS = re.compile(r"CREATE TRIGGER (\w+)")
FUNCTIONS = re.compile(r"CREATE FUNCTION (\w+)\(\).*?\$\$(.*?)\$\$", re.DOTALL)


def integrity() -> Iterator[str]:
    """What the database says of its own pages."""
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        for (sentence,) in cursor.execute("PRAGMA integrity_check").fetchall():
            if sentence != "ok":
                yield f"the database file: {sentence}"


def foreign_keys() -> Iterator[str]:
    """Rows that point to none."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            for table, row, other, _ in cursor.execute("PRAGMA foreign_key_check").fetchall():
                yield f"{table} {row}: its row in {other} is missing"
        return
    for model in check_schema.models():
        for field in model._meta.concrete_fields:
            if field.remote_field is None:
                continue
            lost = model._base_manager.filter(
                **{f"{field.name}__isnull": False}, **{f"{field.name}__pk__isnull": True}
            )
            if count := lost.count():
                yield f"{model._meta.db_table}: {count} rows point to no {field.name}"


def constraints() -> Iterator[str]:
    """Constraints that the database does not hold, and rows that break a check or share what must be unique."""
    yield from check_schema.missing()
    for model in check_schema.models():
        for constraint in model._meta.constraints:
            count = 0
            if isinstance(constraint, CheckConstraint):
                count = _breaking(model, constraint)
            elif isinstance(constraint, UniqueConstraint) and constraint.fields:
                count = _shared(model, constraint.fields, constraint.condition)
            if count:
                yield f"{model._meta.db_table}: {count} rows break {constraint.name}"
        for fields in check_schema.unique_groups(model):
            if count := _shared(model, fields):
                yield f"{model._meta.db_table}: {count} values of {', '.join(fields)} stand in more rows than one"


def triggers() -> Iterator[str]:
    """Triggers that are missing or hold something else: without them a published release could be changed."""
    there = _functions() if connection.vendor == "postgresql" else _statements()
    for rules in (frozen, append_only, job_rules):
        for statement in rules.creating(connection.vendor):
            for name in TRIGGERS.findall(statement):
                if name not in there:
                    yield f"the trigger {name} is missing: run manage.py migrate on a restored backup"
                elif connection.vendor == "sqlite" and there[name] != _bare(statement):
                    yield f"the trigger {name} holds something else than it should"
            for name, body in FUNCTIONS.findall(statement):
                if name in there and there[name] != _bare(body):
                    yield f"the trigger {name} holds something else than it should"


def _statements() -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        return {name: _bare(statement) for name, statement in cursor.fetchall()}


def _functions() -> dict[str, str]:
    """Of triggers that are switched on."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgname, prosrc FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid "
            "WHERE NOT tgisinternal AND tgenabled <> 'D'"
        )
        return {name: _bare(body) for name, body in cursor.fetchall()}


def _bare(statement: str) -> str:
    """Without quotes and spaces: SQLite quotes a table's name when a migration has renamed it."""
    return re.sub(r'[\s"]', "", statement)


def _breaking(model: type[Model], constraint: CheckConstraint) -> int:
    return model._base_manager.exclude(constraint.condition).count()


def _shared(model: type[Model], fields: Sequence[str], condition: Q | None = None) -> int:
    rows: Any = model._base_manager.filter(condition) if condition else model._base_manager
    known = {f"{name}__isnull": False for name in fields}
    doubles = rows.filter(**known).order_by().values(*fields)
    return int(doubles.annotate(n=Count("pk")).filter(n__gt=1).count())
