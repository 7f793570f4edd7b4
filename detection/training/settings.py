"""What a run was asked to do; kept in its folder as run.json."""

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from detection.disk import writing
from detection.errors import BadRun
from detection.presets import Preset, from_json, to_json

FILE = "run.json"
EXACT = "32-true"
"""Of the precisions, that which rounds nothing on its way."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that decides a run's result, and what it started from."""

    preset: Preset
    release: str
    """Name of the release."""
    release_sha256: str
    seed: int = 0
    fraction: float = 1.0
    """Share of the training patients."""
    weights: str = "random"
    """Where the backbone's weights came from."""
    precision: str = EXACT
    """In Lightning Fabric's words."""


def write(folder: Path, settings: Settings) -> None:
    """Keep a run's settings in a folder, which is made.

    Raises
    ------
    BadRun, DiskFull : it cannot be written to.
    """
    content: dict[str, Any] = {**dataclasses.asdict(settings), "preset": to_json(settings.preset)}
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        replace(folder / FILE, json.dumps(content, indent=1) + "\n")


def read(folder: Path) -> Settings:
    """Read a run's settings.

    Raises
    ------
    BadRun : the folder is no run, or of another version.
    """
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return Settings(**{**content, "preset": from_json(content["preset"])})
    except FileNotFoundError as error:
        raise BadRun(f"{folder} is no run: it holds no {FILE}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadRun(f"{folder / FILE} cannot be read; train the run again") from error


def replace(path: Path, text: str) -> None:
    """Write a file so that a reader finds the old or the new one, never half of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
