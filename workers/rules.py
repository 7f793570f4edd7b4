"""Triggers that hold which state of a job may follow which, and that its log and the remembered keys only grow."""

from collections.abc import Sequence
from typing import Any

from datasets import triggers
from datasets.triggers import Rule

TRANSITIONS = {
    "queued": ("running", "cancelled"),
    "running": ("queued", "cancelling", "succeeded", "failed"),
    "cancelling": ("cancelled", "succeeded"),
    "succeeded": (),
    "failed": ("queued",),
    "cancelled": ("queued",),
}
"""A running job goes back to the queue when it is to be tried again or its worker was lost; a failed or cancelled one
when somebody asks for it. A job whose work was done before the request to cancel reached it has succeeded."""

STAYS = ("queued", "running", "cancelling")
"""States in which other columns may change."""

_LEGAL = " OR ".join(
    [
        *(f"(OLD.state = '{state}' AND NEW.state = '{state}')" for state in STAYS),
        *(f"(OLD.state = '{old}' AND NEW.state = '{new}')" for old, after in TRANSITIONS.items() for new in after),
    ]
)
_CLAIMED = "CASE WHEN OLD.state = 'queued' AND NEW.state = 'running' THEN 1 ELSE 0 END"
_ASKED = " OR ".join(
    [
        *(f"NEW.{column} <> OLD.{column}" for column in ("kind", "title", "params", "queue")),
        "COALESCE(NEW.owner_id, 0) <> COALESCE(OLD.owner_id, 0)",
    ]
)

JOBS = (
    Rule(
        "job_begins_queued",
        "workers_job",
        "INSERT",
        "NEW.state <> 'queued' OR NEW.attempt <> 0",
        "a job is queued first",
    ),
    Rule("job_transition", "workers_job", "UPDATE", f"NOT ({_LEGAL})", "a job cannot go from that state to this one"),
    Rule(
        "job_attempt", "workers_job", "UPDATE", f"NEW.attempt <> OLD.attempt + {_CLAIMED}", "every claim counts once"
    ),
    Rule("job_asked", "workers_job", "UPDATE", _ASKED, "what a job was asked to do never changes"),
    Rule("job_event_frozen", "workers_jobevent", "UPDATE", "1 = 1", "the log of a job never changes"),
    Rule("job_event_kept", "workers_jobevent", "DELETE", "1 = 1", "the log of a job is never deleted"),
)
KEYS = (
    Rule("job_key_frozen", "workers_jobkey", "UPDATE", "1 = 1", "the job that a key was answered with never changes"),
    Rule("job_key_kept", "workers_jobkey", "DELETE", "1 = 1", "the key of a job is never forgotten"),
)
RULES = (*JOBS, *KEYS)


def create(connection: Any, rules: Sequence[Rule] = RULES) -> None:
    """Put the triggers in place; SQLite or PostgreSQL."""
    triggers.create(connection, rules)


def creating(vendor: str) -> list[str]:
    """The statements that put the triggers in place."""
    return triggers.creating(vendor, RULES)


def drop(connection: Any, rules: Sequence[Rule] = RULES) -> None:
    """Take the triggers away."""
    triggers.drop(connection, rules)
