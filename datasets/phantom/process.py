"""Servers as child processes: started on free ports, waited for, stopped by their id, never outliving us."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from signal import SIGTERM, Signals
from typing import Any

READY_WITHIN_S = 60.0
STOPPED_WITHIN_S = 20.0


class PeerFailed(Exception):
    """A peer's server is installed but did not come up."""


def free_port() -> int:
    """Return a TCP port that nothing listens on at this moment on the loopback interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_until(condition: Callable[[], bool], within_s: float) -> bool:
    """Poll a condition until it holds (True) or the time is over (False)."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@contextmanager
def running(
    program: Path,
    arguments: Sequence[str],
    folder: Path,
    ready: Callable[[], bool],
    *,
    environment: Mapping[str, str] | None = None,
    user: str | None = None,
    stop_signal: Signals = SIGTERM,
) -> Iterator[int]:
    """Run a server in the foreground until the block ends, and give its process id.

    Parameters
    ----------
    program, arguments : what to run; its output goes to `folder`/log.
    folder : the working directory.
    ready : whether the server answers; polled until it does.
    environment : its environment; ours when None.
    user : who runs it; we ourselves when None.
    stop_signal : what asks it to end; it is killed when it has not ended `STOPPED_WITHIN_S` later.

    Raises
    ------
    PeerFailed : it ended, or did not answer in `READY_WITHIN_S`; the message holds the end of its log.
    """
    log = folder / "log"
    with log.open("wb") as output:
        # A session of its own: Ctrl-C reaches us alone, and we stop the server in order.
        process = subprocess.Popen(
            [*_leash(stop_signal), program, *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            **as_user(user),
        )
    try:
        wait_until(lambda: process.poll() is not None or ready(), READY_WITHIN_S)
        if process.poll() is not None or not ready():
            tail = log.read_text(errors="replace")[-1500:]
            raise PeerFailed(f"{program.name} did not come up; the end of its log:\n{tail}")
        yield process.pid
    finally:
        process.send_signal(stop_signal)
        try:
            process.wait(STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def as_user(user: str | None) -> dict[str, Any]:
    """Return the arguments of `subprocess` that run a program as another user (none for None)."""
    return {} if user is None else {"user": user, "group": user, "extra_groups": []}


def _leash(stop_signal: Signals) -> list[str]:
    """Return the command that a server is started through, so that it never outlives us.

    The kernel then sends the stop signal when we are killed and cannot.
    """
    if sys.platform != "linux":
        return []
    return ["setpriv", "--pdeathsig", stop_signal.name.removeprefix("SIG"), "--"]
