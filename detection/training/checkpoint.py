"""A run's state on disk: written beside and renamed, so that there is always a whole one."""

import json
import os
import pickle
from pathlib import Path
from typing import Any

import torch

from detection.errors import BadCheckpoint
from detection.network.detector import Detector
from detection.presets import Preset, to_json
from detection.training import settings as run

FILE = "checkpoint.pt"


def save(folder: Path, preset: Preset, network: Detector, optimizer: torch.optim.Optimizer, step: int) -> None:
    """Keep the network and its optimiser after `step` steps."""
    content = {
        "preset": to_json(preset),
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "step": step,
    }
    temporary = folder / f".{FILE}.{os.getpid()}.part"
    with temporary.open("wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / FILE)


def load(folder: Path, preset: Preset) -> dict[str, Any]:
    """Read a checkpoint of this very preset.

    Raises
    ------
    BadCheckpoint : there is none, it is damaged, or of another preset.
    """
    path = folder / FILE
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        made = content["preset"]
    except FileNotFoundError as error:
        raise BadCheckpoint(f"{folder} holds no checkpoint yet; train it first") from error
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError, ValueError, KeyError, TypeError) as error:
        raise BadCheckpoint(f"{path} cannot be read as a checkpoint") from error
    for part in ("input", "network"):
        if _plain(made[part]) != _plain(to_json(preset)[part]):
            raise BadCheckpoint(f"{path} is a checkpoint of preset {made['name']}, not of {preset.name}")
    return content


def detector(folder: Path) -> tuple[Detector, run.Settings, int]:
    """Give the trained network of a run, in evaluation, and the steps it was trained for.

    Raises
    ------
    BadRun, BadCheckpoint
    """
    settings = run.read(folder)
    content = load(folder, settings.preset)
    network = Detector(settings.preset)
    restore(network, content, folder)
    return network.eval(), settings, int(content["step"])


def restore(network: Detector, content: dict[str, Any], folder: Path) -> None:
    """Put a checkpoint's weights into a network."""
    try:
        network.load_state_dict(content["network"])
    except (RuntimeError, KeyError) as error:
        raise BadCheckpoint(f"{folder / FILE} belongs to another network") from error


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return dict(json.loads(json.dumps(values)))
