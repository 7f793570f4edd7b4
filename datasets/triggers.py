"""Rules that a database holds by itself, as triggers: no code path, shell or import gets around them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple


class Rule(NamedTuple):
    """What is refused."""

    name: str
    table: str
    event: str
    condition: str
    """On OLD or NEW; `<>` between columns that may be null is written {differs}."""
    sentence: str


def create(connection: Any, rules: Sequence[Rule], emptying: Sequence[Rule] = ()) -> None:
    """Put rules in place; SQLite or PostgreSQL.

    Parameters
    ----------
    emptying : rules against TRUNCATE, which PostgreSQL alone knows.
    """
    _run(connection, creating(connection.vendor, rules, emptying))


def creating(vendor: str, rules: Sequence[Rule], emptying: Sequence[Rule] = ()) -> list[str]:
    """The statements that put rules in place."""
    return list(_create_postgresql((*rules, *emptying)) if vendor == "postgresql" else _create_sqlite(rules))


def drop(connection: Any, rules: Sequence[Rule], emptying: Sequence[Rule] = ()) -> None:
    """Take rules away."""
    postgresql = connection.vendor == "postgresql"
    _run(connection, _drop_postgresql((*rules, *emptying)) if postgresql else _drop_sqlite(rules))


def _run(connection: Any, statements: Iterable[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def _create_sqlite(rules: Iterable[Rule]) -> Iterator[str]:
    for name, table, event, condition, sentence in rules:
        yield (
            f"CREATE TRIGGER {name} BEFORE {event} ON {table} WHEN {condition.format(differs='IS NOT')} "
            f"BEGIN SELECT RAISE(ABORT, '{sentence}'); END"
        )


def _drop_sqlite(rules: Iterable[Rule]) -> Iterator[str]:
    for name, *_ in rules:
        yield f"DROP TRIGGER IF EXISTS {name}"


def _create_postgresql(rules: Iterable[Rule]) -> Iterator[str]:
    for name, table, event, condition, sentence in rules:
        returned = {"DELETE": "OLD", "TRUNCATE": "NULL"}.get(event, "NEW")
        each = "STATEMENT" if event == "TRUNCATE" else "ROW"
        yield (
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF ({condition.format(differs='IS DISTINCT FROM')}) THEN "
            f"RAISE EXCEPTION '{sentence}' USING ERRCODE = 'integrity_constraint_violation'; "
            f"END IF; RETURN {returned}; END $$"
        )
        yield f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH {each} EXECUTE FUNCTION {name}()"


def _drop_postgresql(rules: Iterable[Rule]) -> Iterator[str]:
    for name, table, *_ in rules:
        yield f"DROP TRIGGER IF EXISTS {name} ON {table}"
        yield f"DROP FUNCTION IF EXISTS {name}()"
