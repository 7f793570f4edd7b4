"""What the regressor's page shows, as plain values: its learning curve, scores along series, the same height in many.

No drawing here; a page or a notebook draws.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from detection.bodypart.errors import NotAModel
from detection.bodypart.model import Model
from detection.bodypart.series import SeriesScores
from detection.bodypart.slices import Volume, read_series

HEIGHTS = tuple(round(0.1 * step, 1) for step in range(1, 10))
NEAR = 0.02
"""Greatest distance (z) of a slice from the height that it stands for."""


def learning_curve(run: Path) -> dict[str, list[float]]:
    """Steps and both losses of a run, from its metrics.jsonl.

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


def score_series(model: Model, volumes: Sequence[Volume]) -> list[SeriesScores]:
    """Score series from disk, in their order."""
    version = model.version
    return [model.score(read_series(volume), volume.interval, version) for volume in volumes]


def curves(volumes: Sequence[Volume], scores: Sequence[SeriesScores]) -> list[dict[str, Any]]:
    """Score against slice position per series; None where a location is unknown."""
    return [
        {
            "series": volume.name,
            "patient": volume.patient,
            "numbers": each.numbers.tolist(),
            "mm": (each.numbers * (volume.interval or 1.0)).tolist(),
            "raw": [float(value) if np.isfinite(value) else None for value in each.raw],
            "z": [float(value) if np.isfinite(value) else None for value in each.z],
            "outliers": each.outliers.tolist(),
            "finding": each.finding.value,
            "sentence": each.sentence,
        }
        for volume, each in zip(volumes, scores, strict=True)
    ]


def strip(
    volumes: Sequence[Volume], scores: Sequence[SeriesScores], patients: int = 5, heights: Sequence[float] = HEIGHTS
) -> list[dict[str, Any]]:
    """Per height the slices of different patients that are nearest to it, nearest first.

    A height that no series reaches within NEAR has fewer slices, or none.
    """
    rows = []
    for height in heights:
        nearest: dict[int, dict[str, Any]] = {}
        for volume, each in zip(volumes, scores, strict=True):
            off = np.abs(each.z - height)
            if not np.isfinite(off).any() or np.nanmin(off) > NEAR:
                continue
            at = int(np.nanargmin(off))
            known = nearest.get(volume.patient)
            if known is None or off[at] < abs(known["z"] - height):
                nearest[volume.patient] = {
                    "series": volume.name,
                    "patient": volume.patient,
                    "slice": int(each.numbers[at]),
                    "z": float(each.z[at]),
                }
        ranked = sorted(nearest.values(), key=lambda found, height=height: abs(found["z"] - height))  # type: ignore[misc]
        rows.append({"height": height, "slices": ranked[:patients]})
    return rows
