"""Triggers that let nobody, the site included, change or delete what was signed or logged."""

from typing import Any

TABLES = ("accounts_auditentry", "accounts_agreement")
EVENTS = ("update", "delete")


def create(connection: Any) -> None:
    """Put the triggers in place; SQLite or PostgreSQL."""
    _run(connection, creating(connection.vendor))


def drop(connection: Any) -> None:
    """Take the triggers away."""
    _run(connection, dropping(connection.vendor))


def creating(vendor: str) -> list[str]:
    """The statements that put the triggers in place."""
    return [statement for table in TABLES for statement in (_postgresql if vendor == "postgresql" else _sqlite)(table)]


def dropping(vendor: str) -> list[str]:
    """The statements that take the triggers away."""
    if vendor == "postgresql":
        return [f"DROP FUNCTION IF EXISTS {table}_is_kept() CASCADE" for table in TABLES]
    return [f"DROP TRIGGER IF EXISTS {table}_{event}" for table in TABLES for event in EVENTS]


def _sqlite(table: str) -> list[str]:
    return [
        f"CREATE TRIGGER {table}_{event} BEFORE {event} ON {table} "
        "BEGIN SELECT RAISE(ABORT, 'what is logged stays'); END"
        for event in EVENTS
    ]


def _postgresql(table: str) -> list[str]:
    return [
        f"CREATE FUNCTION {table}_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'what is logged stays' USING ERRCODE = 'integrity_constraint_violation'; END $$",
        f"CREATE TRIGGER {table}_rows BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_is_kept()",
        f"CREATE TRIGGER {table}_all BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {table}_is_kept()",
    ]


def _run(connection: Any, statements: list[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
