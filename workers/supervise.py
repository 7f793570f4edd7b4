"""A program that works for long, watched while it does, and never left behind."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from django.conf import settings

TICK_S = 0.5
"""How often the watcher is called."""
PATIENCE_S = 1.0
"""How long the program may take to end when it is asked to: a cancel is to be over within two seconds."""
SILENCE = 0.75
"""The share of a lease after which the program of a worker that gives no sign is ended: before another one begins."""
TAIL_BYTES = 8000
WARDEN = Path(__file__).with_name("warden.py")


def supervise(command: Sequence[str], *, log: Path, tick: Callable[[], None]) -> int:
    """Run a program to its end in a session of its own; returns its exit status, negative for a signal.

    Parameters
    ----------
    log : file to which its output is added.
    tick : called twice a second; what it raises ends the program and is raised on.
    """
    ours, theirs = os.pipe()[::-1]
    try:
        with log.open("ab") as output:
            warden = subprocess.Popen(
                [*_warden(theirs), *_leash(), *command],
                cwd=settings.BASE_DIR,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=[theirs],
            )
    finally:
        os.close(theirs)
    try:
        while True:
            try:
                return warden.wait(TICK_S)
            except subprocess.TimeoutExpired:
                _give_a_sign(ours)
                tick()
    finally:
        os.close(ours)
        try:
            warden.wait(3 * PATIENCE_S)
        except subprocess.TimeoutExpired:
            warden.kill()
            warden.wait()


def tail(log: Path, *, start: int = 0) -> str:
    """The end of a log, of what was written after `start` bytes."""
    try:
        with log.open("rb") as file:
            file.seek(max(start, log.stat().st_size - TAIL_BYTES))
            return file.read().decode(errors="replace").strip()
    except OSError:
        return ""


def _give_a_sign(pipe: int) -> None:
    try:
        os.write(pipe, b".")
    except BrokenPipeError:
        # The program has just ended; the next look will find that.
        return


def _warden(pipe: int) -> list[str]:
    silence = str(SILENCE * settings.JOB_LEASE_SECONDS)
    return [sys.executable, "-I", "-S", str(WARDEN), str(pipe), silence, str(PATIENCE_S)]


def _leash() -> list[str]:
    """What a program is started through, so that the kernel ends it when the warden is killed and cannot."""
    found = shutil.which("setpriv") if sys.platform == "linux" else None
    return [found, "--pdeathsig", "KILL", "--"] if found else []
