"""What a program that works for long tells whoever waits: a line now and then, and a file for whoever watches it."""

import json
import sys
import time
from pathlib import Path

from detection.training.settings import replace

PROGRESS = "progress.json"
EVERY_SECONDS = 2.0
"""How often it is told, at most."""


class Teller:
    """Writes a line on stderr, and `done`, `total` and `unit` to progress.json in a folder."""

    def __init__(self, folder: Path) -> None:
        """The folder need not be there before something is told."""
        self._folder = folder
        self._told, self._unit = 0.0, ""

    def __call__(self, done: int, total: int, unit: str, more: str = "") -> None:
        """Tell it, unless something was told of the same unit just before; `more` goes to the line alone."""
        now = time.monotonic()
        if now - self._told < EVERY_SECONDS and done != total and unit == self._unit:
            return
        self._told, self._unit = now, unit
        replace(self._folder / PROGRESS, json.dumps({"done": done, "total": total, "unit": unit}) + "\n")
        sys.stderr.write(f"{unit} {done}/{total}" + (f", {more}\n" if more else "\n"))
