"""The record of a run on disk, for pages: they read it without loading torch."""

import json
from pathlib import Path

from detection.bodypart.errors import NotAModel


def learning_curve(run: Path) -> dict[str, list[float]]:
    """Steps and both losses of a run, from its metrics.jsonl: `step`, `order_loss`, `distance_loss`.

    Raises
    ------
    NotAModel : the folder holds no run.
    """
    try:
        text = (run / "metrics.jsonl").read_text(encoding="utf-8")
        lines = [json.loads(line) for line in text.splitlines()]
        return {key: [line[key] for line in lines] for key in ("step", "order_loss", "distance_loss")}
    except (OSError, ValueError, KeyError) as error:
        raise NotAModel(f"{run.name} holds no run of the regressor") from error
