"""A program that learns or detects, as a worker has it run: watched, its output kept, its last words the reason.

Torch is large and slow to load, and nothing inside it looks at whether its work is still wanted: so it runs beside
the worker, which never loads it.
"""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from datasets.services.errors import Refused
from detection import refusal
from detection.progress import PROGRESS
from workers.supervise import supervise, tail

LOG = "train.log"


class ProgramEnded(Refused):
    """The program gave up; the message is its sentence."""


def run(
    module: Sequence[str],
    *,
    folder: Path,
    tick: Callable[[dict[str, Any]], None],
    log: Callable[[str], None],
) -> None:
    """Run `python -m MODULE ...` to its end; its output is added to `train.log`.

    Parameters
    ----------
    module : name and arguments.
    folder : where it writes progress.json and whatever else it makes.
    tick : called twice a second with the content of progress.json; what it raises ends the program.
    log : called with the end of the program's output where it gave up.

    Raises
    ------
    ProgramEnded
    """
    output = folder / LOG
    start = output.stat().st_size if output.is_file() else 0
    # What an earlier try told is no news of this one.
    (folder / PROGRESS).unlink(missing_ok=True)
    refusal.forget(folder)
    command = [sys.executable, "-m", *module]
    status = supervise(command, log=output, tick=lambda: tick(read(folder / PROGRESS)))
    if status != 0:
        words = tail(output, start=start)
        log(words)
        raise ProgramEnded(refusal.read(folder) or _why(status, words))


def read(path: Path) -> dict[str, Any]:
    """What a program keeps in a JSON file; empty while there is none."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _why(status: int, words: str) -> str:
    """The program's own sentence where it has one."""
    if status < 0:
        return f"the program was ended by signal {-status}, perhaps for want of memory; start it again to go on"
    if status == 1 and words and "Traceback (most recent call last)" not in words:
        return words.splitlines()[-1].rstrip(".")
    return f"the program ended with status {status}; its log says more"
