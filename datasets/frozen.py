"""Triggers that hold what a constraint cannot: annotations and verdicts never change, nor does a published release.

They stand in the database, so that no code path, shell or import can get around them.
"""

from collections.abc import Iterator
from typing import Any

PUBLISHED = "EXISTS (SELECT 1 FROM datasets_release r WHERE r.id = {row}.release_id AND r.state = 'published')"

RULES = (
    # name, table, event, condition on OLD or NEW, sentence
    ("annotation_frozen", "datasets_annotation", "UPDATE", "1 = 1", "an annotation never changes"),
    ("review_frozen", "datasets_review", "UPDATE", "1 = 1", "a verdict never changes"),
    ("review_kept", "datasets_review", "DELETE", "1 = 1", "a verdict is never deleted"),
    ("manifest_frozen", "datasets_releasemanifest", "UPDATE", "1 = 1", "a manifest never changes"),
    ("manifest_kept", "datasets_releasemanifest", "DELETE", "1 = 1", "a manifest is never deleted"),
    *(
        (f"release_{event.lower()}", "datasets_release", event, "OLD.state = 'published'", sentence)
        for event, sentence in (
            ("UPDATE", "a published release cannot change"),
            ("DELETE", "a published release cannot be deleted"),
        )
    ),
    *(
        (
            f"{name}_{event.lower()}",
            table,
            event,
            " OR ".join(PUBLISHED.format(row=row) for row in rows),
            "a published release cannot change",
        )
        for name, table in (
            ("release_patient", "datasets_releasepatient"),
            ("release_lesion", "datasets_releaselesion"),
        )
        for event, rows in (("INSERT", ("NEW",)), ("UPDATE", ("OLD", "NEW")), ("DELETE", ("OLD",)))
    ),
)


def create(connection: Any) -> None:
    """Put the triggers in place; SQLite or PostgreSQL."""
    _run(connection, creating(connection.vendor))


def drop(connection: Any) -> None:
    """Take the triggers away."""
    _run(connection, dropping(connection.vendor))


def creating(vendor: str) -> list[str]:
    """The statements that put the triggers in place."""
    return list(_create_postgresql() if vendor == "postgresql" else _create_sqlite())


def dropping(vendor: str) -> list[str]:
    """The statements that take the triggers away."""
    return list(_drop_postgresql() if vendor == "postgresql" else _drop_sqlite())


def _run(connection: Any, statements: list[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def _create_sqlite() -> Iterator[str]:
    for name, table, event, condition, sentence in RULES:
        yield (
            f"CREATE TRIGGER {name} BEFORE {event} ON {table} WHEN {condition} "
            f"BEGIN SELECT RAISE(ABORT, '{sentence}'); END"
        )


def _drop_sqlite() -> Iterator[str]:
    for name, *_ in RULES:
        yield f"DROP TRIGGER IF EXISTS {name}"


def _create_postgresql() -> Iterator[str]:
    for name, table, event, condition, sentence in RULES:
        returned = "OLD" if event == "DELETE" else "NEW"
        yield (
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF {condition} THEN RAISE EXCEPTION '{sentence}' USING ERRCODE = 'integrity_constraint_violation'; "
            f"END IF; RETURN {returned}; END $$"
        )
        yield f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"


def _drop_postgresql() -> Iterator[str]:
    for name, table, *_ in RULES:
        yield f"DROP TRIGGER IF EXISTS {name} ON {table}"
        yield f"DROP FUNCTION IF EXISTS {name}()"
