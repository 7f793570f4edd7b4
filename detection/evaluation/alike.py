"""Which evaluated runs are points of one learning curve."""

from collections.abc import Mapping
from typing import Any

APART = ("fraction", "seed", "step")
"""In what they differ; the steps of an epoch follow from the patients."""


def made_alike(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    """Whether two runs are made the same way but for share and seed; each is what a report says under `run`."""
    return _made(first) == _made(second)


def _made(run: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in run.items() if name not in APART}
