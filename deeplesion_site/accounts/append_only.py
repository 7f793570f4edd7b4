"""Triggers that let nobody, the site included, change or delete what was signed or logged."""

from typing import Any

from datasets import triggers
from datasets.triggers import Rule

TABLES = {"audit": "accounts_auditentry", "agreement": "accounts_agreement"}
FILLED = {
    "audit": "EXISTS (SELECT 1 FROM accounts_auditentry)",
    "agreement": "EXISTS (SELECT 1 FROM accounts_agreement)",
}
SENTENCE = "what is logged stays"

RULES = tuple(
    Rule(f"{name}_{event.lower()}", table, event, "1 = 1", SENTENCE)
    for name, table in TABLES.items()
    for event in ("UPDATE", "DELETE")
)
EMPTYING = tuple(Rule(f"{name}_truncate", table, "TRUNCATE", FILLED[name], SENTENCE) for name, table in TABLES.items())


def create(connection: Any) -> None:
    """Put the triggers in place; SQLite or PostgreSQL."""
    triggers.create(connection, RULES, EMPTYING)


def creating(vendor: str) -> list[str]:
    """The statements that put the triggers in place."""
    return triggers.creating(vendor, RULES, EMPTYING)


def drop(connection: Any) -> None:
    """Take the triggers away."""
    triggers.drop(connection, RULES, EMPTYING)
