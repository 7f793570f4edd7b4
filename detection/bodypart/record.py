"""The record of a run on disk, for pages: they read it without loading torch."""

import json
from pathlib import Path
from typing import Any

from detection.bodypart.errors import NotAModel
from detection.training.settings import replace

FACTS, METRICS = "model.json", "metrics.jsonl"


def write(run: Path, facts: dict[str, Any]) -> None:
    """Keep what `Model.facts` says beside the model."""
    replace(run / FACTS, json.dumps(facts, indent=1) + "\n")


def read(run: Path) -> dict[str, Any]:
    """What `write` kept.

    Raises
    ------
    NotAModel : the folder holds no finished run.
    """
    try:
        return dict(json.loads((run / FACTS).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise NotAModel(f"{run.name} holds no finished run of the regressor") from error


def learning_curve(run: Path) -> dict[str, list[float]]:
    """Steps and both losses of a run, from its metrics.jsonl: `step`, `order_loss`, `distance_loss`.

    Raises
    ------
    NotAModel : the folder holds no run.
    """
    try:
        text = (run / METRICS).read_text(encoding="utf-8")
        lines = [json.loads(line) for line in text.splitlines()]
        return {key: [line[key] for line in lines] for key in ("step", "order_loss", "distance_loss")}
    except (OSError, ValueError, KeyError) as error:
        raise NotAModel(f"{run.name} holds no run of the regressor") from error
