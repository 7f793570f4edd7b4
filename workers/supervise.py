"""A program that works for long, watched while it does, and never left behind."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from django.conf import settings

TICK_S = 0.5
"""How often the watcher is called."""
PATIENCE_S = 5.0
"""How long the program may take to end when it is asked to."""
TAIL_BYTES = 8000


def supervise(command: Sequence[str], *, log: Path, tick: Callable[[], None]) -> int:
    """Run a program to its end in a process group of its own; returns its exit status, negative for a signal.

    Parameters
    ----------
    log : file to which its output is added.
    tick : called twice a second; what it raises ends the program and is raised on.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*_leash(), *command],
            cwd=settings.BASE_DIR,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        while True:
            try:
                return process.wait(TICK_S)
            except subprocess.TimeoutExpired:
                tick()
    finally:
        _end(process)


def tail(log: Path, *, start: int = 0) -> str:
    """The end of a log, of what was written after `start` bytes."""
    try:
        with log.open("rb") as file:
            file.seek(max(start, log.stat().st_size - TAIL_BYTES))
            return file.read().decode(errors="replace").strip()
    except OSError:
        return ""


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the whole group, then insist; nothing happens where it has ended."""
    for ask in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, ask)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE_S)


def _leash() -> list[str]:
    """What a program is started through, so that the kernel ends it when this process is killed and cannot."""
    found = shutil.which("setpriv") if sys.platform == "linux" else None
    return [found, "--pdeathsig", "KILL", "--"] if found else []
