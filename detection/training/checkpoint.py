"""A run's state on disk: written beside and renamed, so that there is always a whole one."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from detection import torch_file
from detection.errors import BadCheckpoint
from detection.network.detector import Detector
from detection.presets import Preset, to_json
from detection.training import settings as run
from detection.training.validation import SENSITIVITY

FILE = "checkpoint.pt"
"""The last one, which a run goes on from."""
BEST = "best.pt"
"""The one that found most lesions of the validation split; of equals the last, which has learned longest."""

Which = Literal["best", "last"]
CHECKPOINTS: dict[str, Which] = {"best": "best", "last": "last"}
"""By the names that rows keep."""


class Keeper:
    """Keeps the last state of a run, and the best by validation, of equals the later."""

    def __init__(
        self,
        folder: Path,
        preset: Preset,
        network: Detector,
        optimizer: torch.optim.Optimizer,
        *,
        steps: int,
        best: float = -1.0,
    ) -> None:
        """Keep a run that is planned to be `steps` long."""
        self._folder, self._preset, self._network, self._optimizer = folder, preset, network, optimizer
        self._steps = steps
        self.best = best
        """Greatest sensitivity so far; below 0 before the first validation."""

    def keep(self, step: int, values: dict[str, float]) -> None:
        """Write the state after `step` steps; `values` may hold what was validated."""
        if SENSITIVITY in values and values[SENSITIVITY] >= self.best:
            self.best = values[SENSITIVITY]
            self._write(BEST, step)
        self._write(FILE, step)

    def _write(self, name: str, step: int) -> None:
        content = {
            "preset": to_json(self._preset),
            "network": self._network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "step": step,
            "steps": self._steps,
            "best": self.best,
        }
        temporary = self._folder / f".{name}.{os.getpid()}.part"
        try:
            with temporary.open("wb") as file:
                torch.save(content, file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._folder / name)
        finally:
            temporary.unlink(missing_ok=True)


def load(folder: Path, preset: Preset, *, name: str = FILE) -> dict[str, Any]:
    """Read a checkpoint of this very preset.

    Raises
    ------
    BadCheckpoint : there is none, it is damaged, or of another preset.

    Returns
    -------
    `step`, `steps` that are planned (None in one of an older version), `best`, and the states for `restore`.
    """
    path = folder / name
    damaged = f"{path} cannot be read as a checkpoint; train the run again"
    try:
        content = torch_file.read(path)
        made = {part: content["preset"][part] for part in ("name", "input", "network")}
        planned = content.get("steps")
        values = {"step": int(content["step"]), "steps": planned and int(planned), "best": float(content["best"])}
    except FileNotFoundError as error:
        raise BadCheckpoint(f"{folder} holds no checkpoint yet; train it first") from error
    except (torch_file.NotReadable, ValueError, KeyError, TypeError) as error:
        raise BadCheckpoint(damaged) from error
    asked = to_json(preset)
    other = [part for part in ("input", "network") if _plain(made[part]) != _plain(asked[part])]
    if other:
        kind = f", not of {preset.name}" if made["name"] != preset.name else f" with another {' and '.join(other)}"
        raise BadCheckpoint(f"{path} is a checkpoint of preset {made['name']}{kind}; name the run it belongs to")
    return content | values


@dataclass(frozen=True, slots=True)
class Trained:
    """A run's network, ready to detect."""

    network: Detector
    settings: run.Settings
    which: Which
    step: int
    """Steps that these weights were trained for; of the best, fewer than the run did."""
    done: int
    """Steps that the run did, as far as is known."""
    steps: int | None
    """Steps that the run was to do; None where nothing says how far it came."""

    @property
    def unfinished(self) -> str:
        """How far the run came where it was not trained to its end; empty where it was, or nobody knows."""
        if self.steps is None or self.done >= self.steps:
            return ""
        return f"was trained for {self.done} of {self.steps} steps; go on with --resume of detection.train"


def detector(folder: Path, which: Which = "best") -> Trained:
    """Give the trained network of a run.

    Parameters
    ----------
    which : the checkpoint that found most lesions of the validation split, or the last; the last also where nothing
        was validated.

    Raises
    ------
    BadRun
    BadCheckpoint : there is none, or only what the run started from.
    """
    settings = run.read(folder)
    taken: Which = "best" if which == "best" and (folder / BEST).is_file() else "last"
    name = BEST if taken == "best" else FILE
    content = load(folder, settings.preset, name=name)
    if content["step"] == 0:
        raise BadCheckpoint(f"{folder} holds no checkpoint yet but what it starts from; train it first")
    network = Detector(settings.preset)
    restore(network, content, folder / name)
    done, steps = (
        (content["step"], content["steps"]) if taken == "last" else _came_to(folder, settings, content["step"])
    )
    return Trained(network.eval(), settings, taken, content["step"], done, steps)


def _came_to(folder: Path, settings: run.Settings, at_least: int) -> tuple[int, int | None]:
    """Steps that a run did and was to do; its best checkpoint, an early one maybe, does not say.

    Where the last one is not kept, or damaged, the best can be used all the same, and nobody knows.
    """
    try:
        last = load(folder, settings.preset)
    except BadCheckpoint:
        return at_least, None
    return last["step"], last["steps"]


def restore(
    network: Detector, content: dict[str, Any], path: Path, optimizer: torch.optim.Optimizer | None = None
) -> None:
    """Put a checkpoint's weights into a network, and where the optimiser was into one.

    Raises
    ------
    BadCheckpoint : they are another network's, or damaged.
    """
    try:
        network.load_state_dict(content["network"])
        if optimizer is not None:
            optimizer.load_state_dict(content["optimizer"])
    except (RuntimeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadCheckpoint(f"{path} belongs to another network, or is damaged; train the run again") from error


def _plain(values: Any) -> Any:
    """As JSON holds them: tuples are lists."""
    return json.loads(json.dumps(values, default=str))
