"""What a run tells while it goes on: metrics.jsonl, TensorBoard, progress.json, and whoever asked to be called."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from detection.training.settings import replace
from detection.training.validation import SENSITIVITY

METRICS, PROGRESS, BOARD = "metrics.jsonl", "progress.json", "tensorboard"
EVERY_SECONDS = 2.0
"""How often progress is told, at most."""

Progress = Callable[[int, int, float, dict[str, float]], None]
"""Called with steps done, steps in all, seconds left, and how it goes: `loss` on average since it was last called, and
what the last look at the validation split found; empty where nothing was left to do."""


class Journal:
    """Of one process; the others of a run keep none."""

    def __init__(self, folder: Path, start: int, total: int, progress: Progress | None) -> None:
        """Go on after step `start`: later lines of an interrupted try are dropped."""
        self._folder, self._start, self._total, self._progress = folder, start, total, progress
        path = folder / METRICS
        kept = [line for line in _lines(path) if json.loads(line)["step"] <= start]
        replace(path, "".join(f"{line}\n" for line in kept))
        self._metrics = path.open("a", encoding="utf-8")
        self._board = SummaryWriter(str(folder / BOARD), purge_step=start + 1)
        self._began = time.monotonic()
        self._told = 0.0
        self._losses: list[float] = []
        validated = [line for line in map(json.loads, kept) if SENSITIVITY in line]
        self._found = {SENSITIVITY: validated[-1][SENSITIVITY]} if validated else {}

    def step(self, step: int, values: dict[str, float]) -> None:
        """Record a step's losses and learning rate, and what was validated after it."""
        self._metrics.write(json.dumps({"step": step, **values}) + "\n")
        for name, value in values.items():
            self._board.add_scalar(name, value, step)
        self._losses.append(values["loss"])
        if SENSITIVITY in values:
            self._found = {SENSITIVITY: values[SENSITIVITY]}
        now = time.monotonic()
        if now - self._told >= EVERY_SECONDS or step == self._total:
            self._told = now
            self._tell(step, now)

    def _tell(self, step: int, now: float) -> None:
        self._metrics.flush()
        elapsed = now - self._began
        left = elapsed / (step - self._start) * (self._total - step)
        state = {"step": step, "steps": self._total, "seconds": round(elapsed, 1), "seconds_left": round(left, 1)}
        replace(self._folder / PROGRESS, json.dumps(state) + "\n")
        if self._progress is not None:
            loss = sum(self._losses) / len(self._losses)
            self._progress(step, self._total, left, {"loss": loss, **self._found})
        self._losses.clear()

    def flush(self) -> None:
        """Bring every line to the disk; before a checkpoint, so that none of its steps is lacking."""
        self._metrics.flush()
        os.fsync(self._metrics.fileno())

    def close(self) -> None:
        """Finish the files."""
        self._metrics.close()
        self._board.close()


def _lines(path: Path) -> list[str]:
    """Whole lines; the last one of a crashed run may not be."""
    if not path.is_file():
        return []
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
