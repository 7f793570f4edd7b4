"""Stands between a worker and a program that it watches, so that nothing of the program is ever left behind.

`python warden.py PIPE SILENCE PATIENCE PROGRAM ...`: the worker writes to the pipe while it is well. When it is silent
for too long, closes the pipe, or dies in any way, the program and all that it has started are asked to end, then
killed; also those that left its process group, as the ranks of torchrun do. It knows neither Django nor this project,
so that it starts at once.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

LOOK_EVERY_S = 0.1
PR_SET_CHILD_SUBREAPER = 36


def main(pipe: int, silence_s: float, patience_s: float, command: list[str]) -> int:
    """Run a program as long as it is wanted; returns its exit status, negative for a signal."""
    if sys.platform == "linux":
        # What loses its parent below us becomes our child instead of getting away.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    program = subprocess.Popen(command)
    heard = time.monotonic()
    while program.poll() is None:
        if select.select([pipe], [], [], LOOK_EVERY_S)[0]:
            if not os.read(pipe, 4096):
                break
            heard = time.monotonic()
        if time.monotonic() - heard > silence_s:
            break
    _end_all(program, patience_s)
    return program.wait()


def _end_all(program: "subprocess.Popen[bytes]", patience_s: float) -> None:
    for ask, wait_s in ((signal.SIGTERM, patience_s), (signal.SIGKILL, patience_s)):
        deadline = time.monotonic() + wait_s
        asked: set[int] = set()
        while (left := _descendants(os.getpid())) and time.monotonic() < deadline:
            for process in left - asked:
                try:
                    os.kill(process, ask)
                except ProcessLookupError:
                    continue
            asked |= left
            program.poll()
            _reap(program.pid)
            time.sleep(LOOK_EVERY_S / 4)


def _reap(program: int) -> None:
    """Take the exit status of adopted processes; the program's own is for whoever waits for it."""
    for process in _children().get(os.getpid(), ()):
        if process != program:
            try:
                os.waitpid(process, os.WNOHANG)
            except ChildProcessError:
                continue


def _descendants(ancestor: int) -> set[int]:
    """Every living process below one."""
    children, found, frontier = _children(alive=True), set[int](), [ancestor]
    while frontier:
        below = children.get(frontier.pop(), [])
        found.update(below)
        frontier += below
    return found


def _children(alive: bool = False) -> dict[int, list[int]]:
    """Processes by their parent; zombies count unless `alive`."""
    found: dict[int, list[int]] = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if not alive or state != "Z":
                found[int(parent)].append(int(entry.name))
    return found


if __name__ == "__main__":
    status = main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), sys.argv[4:])
    if status < 0:
        # Ended by a signal: so are we, so that our status says the same.
        os.kill(os.getpid(), -status)
    sys.exit(status)
