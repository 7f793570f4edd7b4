"""A run's state on disk: written beside and renamed, so that there is always a whole one."""

import json
import os
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from detection.errors import BadCheckpoint
from detection.network.detector import Detector
from detection.presets import Preset, to_json
from detection.training import settings as run
from detection.training.validation import SENSITIVITY

FILE = "checkpoint.pt"
"""The last one, which a run goes on from."""
BEST = "best.pt"
"""The one that found most lesions of the validation split."""

Which = Literal["best", "last"]
CHECKPOINTS: dict[str, Which] = {"best": "best", "last": "last"}
"""By the names that rows keep."""


class Keeper:
    """Keeps the last state of a run, and the best by validation."""

    def __init__(
        self, folder: Path, preset: Preset, network: Detector, optimizer: torch.optim.Optimizer, best: float = -1.0
    ) -> None:
        self._folder, self._preset, self._network, self._optimizer = folder, preset, network, optimizer
        self.best = best
        """Greatest sensitivity so far; below 0 before the first validation."""

    def keep(self, step: int, values: dict[str, float]) -> None:
        """Write the state after `step` steps; `values` may hold what was validated."""
        better = values.get(SENSITIVITY, -1.0) > self.best
        if better:
            self.best = values[SENSITIVITY]
            self._write(BEST, step)
        self._write(FILE, step)

    def _write(self, name: str, step: int) -> None:
        content = {
            "preset": to_json(self._preset),
            "network": self._network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "step": step,
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
    """
    path = folder / name
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        made = content["preset"]
    except FileNotFoundError as error:
        raise BadCheckpoint(f"{folder} holds no checkpoint yet; train it first") from error
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError, ValueError, KeyError, TypeError) as error:
        raise BadCheckpoint(f"{path} cannot be read as a checkpoint; train the run again") from error
    for part in ("input", "network"):
        if _plain(made[part]) != _plain(to_json(preset)[part]):
            raise BadCheckpoint(
                f"{path} is a checkpoint of preset {made['name']}, not of {preset.name}; name the run it belongs to"
            )
    return content


@dataclass(frozen=True, slots=True)
class Trained:
    """A run's network, ready to detect."""

    network: Detector
    settings: run.Settings
    which: Which
    step: int
    """Steps it was trained for."""


def detector(folder: Path, which: Which = "best") -> Trained:
    """Give the trained network of a run.

    Parameters
    ----------
    which : the checkpoint that found most lesions of the validation split, or the last; the last also where nothing
        was validated.

    Raises
    ------
    BadRun, BadCheckpoint
    """
    settings = run.read(folder)
    taken: Which = "best" if which == "best" and (folder / BEST).is_file() else "last"
    content = load(folder, settings.preset, name=BEST if taken == "best" else FILE)
    network = Detector(settings.preset)
    restore(network, content, folder)
    return Trained(network.eval(), settings, taken, int(content["step"]))


def restore(network: Detector, content: dict[str, Any], folder: Path) -> None:
    """Put a checkpoint's weights into a network."""
    try:
        network.load_state_dict(content["network"])
    except (RuntimeError, KeyError) as error:
        raise BadCheckpoint(f"{folder / FILE} belongs to another network") from error


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return dict(json.loads(json.dumps(values)))
