"""What a program that works for long tells whoever waits: a line now and then, and a file for whoever watches it."""

import json
import sys
import time
from pathlib import Path

from detection.training.settings import replace

PROGRESS = "progress.json"
EVERY_SECONDS = 2.0
"""How often it is told, at most."""
LOG_SECONDS = 30.0
"""How often a line is written where nobody looks on, as in a log."""


class Pace:
    """When the next line is due on stderr: every time on a terminal, seldom where it goes to a file."""

    def __init__(self) -> None:
        self._wrote = -float("inf")

    def is_due(self, *, last: bool) -> bool:
        """Whether to write one now; the `last` of its kind always is."""
        now = time.monotonic()
        if not (last or sys.stderr.isatty() or now - self._wrote >= LOG_SECONDS):
            return False
        self._wrote = now
        return True


class Teller:
    """Writes a line on stderr, and `done`, `total` and `unit` to progress.json in a folder."""

    def __init__(self, folder: Path) -> None:
        """The folder need not be there before something is told."""
        self._folder = folder
        self._told, self._unit = 0.0, ""
        self._pace = Pace()

    def __call__(self, done: int, total: int, unit: str, more: str = "") -> None:
        """Tell it, unless something was told of the same unit just before; `more` goes to the line alone.

        The first line of a unit and its last are always written.
        """
        now = time.monotonic()
        if now - self._told < EVERY_SECONDS and done != total and unit == self._unit:
            return
        ends = done == total or unit != self._unit
        self._told, self._unit = now, unit
        replace(self._folder / PROGRESS, json.dumps({"done": done, "total": total, "unit": unit}) + "\n")
        if self._pace.is_due(last=ends):
            sys.stderr.write(f"{unit} {done}/{total}" + (f", {more}\n" if more else "\n"))
