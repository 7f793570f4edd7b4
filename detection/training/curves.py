"""The losses of a run as curves that a figure can draw, read from its metrics.jsonl while it is being written."""

import json
from pathlib import Path
from typing import Any

FILE = "metrics.jsonl"
POINTS = 200
"""A figure needs no more."""

PARTS = ("loss", "loss_rpn_class", "loss_rpn_box", "loss_head_class", "loss_head_box")

Curve = dict[str, list[float]]


def read(folder: Path, points: int = POINTS) -> dict[str, Curve]:
    """Losses against steps; each point is the mean of the steps since the one before.

    Returns
    -------
    `train`: `step` and the losses of `PARTS`; `val`: `step`, `loss` and `sensitivity` at 4 false positives per image,
    as often as they were measured. Empty lists where nothing was trained yet.
    """
    lines = _lines(folder / FILE)
    trained = [line for line in lines if "loss" in line]
    size = max(1, -(-len(trained) // points))
    groups = [trained[start : start + size] for start in range(0, len(trained), size)]
    train: Curve = {"step": [group[-1]["step"] for group in groups]}
    for name in PARTS:
        train[name] = [round(sum(line.get(name, 0.0) for line in group) / len(group), 5) for group in groups]
    measured = [line for line in lines if "val_loss" in line]
    val = {
        "step": [line["step"] for line in measured],
        "loss": [round(line["val_loss"], 5) for line in measured],
        "sensitivity": [round(line.get("val_sensitivity_4", 0.0), 5) for line in measured],
    }
    return {"train": train, "val": val}


def _lines(path: Path) -> list[dict[str, Any]]:
    """Whole lines; the last one may be half written."""
    if not path.is_file():
        return []
    found = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(text))
        except ValueError:
            continue
    return found
