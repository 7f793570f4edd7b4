"""Which evaluated runs are points of one learning curve."""

from collections.abc import Mapping
from typing import Any

APART = ("fraction", "seed", "step", "steps", "steps_done")
"""In what they differ; the steps of an epoch follow from the patients, and the step of the best from chance."""


def made_alike(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether two runs are made the same way but for share and seed; each is what a report says under `run`.

    A run that broke off is alike those alone that came as far of what was planned.
    """
    return _made(first) == _made(second) and trained_share(first) == trained_share(second)


def trained_share(run: Mapping[str, Any]) -> float:
    """Steps that a run did of those that were planned, 1 at its end; 1 also where an older version kept neither."""
    steps = run.get("steps")
    return min(1.0, run["steps_done"] / steps) if steps else 1.0


def _made(run: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in run.items() if name not in APART}
