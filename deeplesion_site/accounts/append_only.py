"""Triggers that let nobody, the site included, change or delete what was signed or logged."""

from typing import Any

TABLES = ("accounts_auditentry", "accounts_agreement")


def create(connection: Any) -> None:
    """Put the triggers in place; SQLite or PostgreSQL."""
    _run(connection, _postgresql if connection.vendor == "postgresql" else _sqlite)


def drop(connection: Any) -> None:
    """Take the triggers away."""
    if connection.vendor == "postgresql":
        _run(connection, lambda table: [f"DROP FUNCTION IF EXISTS {table}_is_kept() CASCADE"])
    else:
        _run(connection, lambda table: [f"DROP TRIGGER IF EXISTS {table}_{event}" for event in ("update", "delete")])


def _sqlite(table: str) -> list[str]:
    return [
        f"CREATE TRIGGER {table}_{event} BEFORE {event} ON {table} "
        "BEGIN SELECT RAISE(ABORT, 'what is logged stays'); END"
        for event in ("update", "delete")
    ]


def _postgresql(table: str) -> list[str]:
    return [
        f"CREATE FUNCTION {table}_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'what is logged stays' USING ERRCODE = 'integrity_constraint_violation'; END $$",
        f"CREATE TRIGGER {table}_rows BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_is_kept()",
        f"CREATE TRIGGER {table}_all BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {table}_is_kept()",
    ]


def _run(connection: Any, statements: Any) -> None:
    with connection.cursor() as cursor:
        for table in TABLES:
            for statement in statements(table):
                cursor.execute(statement)
