"""The processes of one instance on one machine: the web server and a worker, started and ended together."""

import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STOP_WITHIN_S = 10.0


class PortTaken(RuntimeError):
    """Another program listens where the site should."""


class ServerEnded(RuntimeError):
    """A process ended that should have gone on."""


def check_port(port: int) -> None:
    """Refuse a port that somebody uses, before any long work is done.

    Raises
    ------
    PortTaken
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise PortTaken(f"port {port} is in use; choose another one: make demo PORT={port + 1}") from error


@contextmanager
def running(port: int, data_dir: Path) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Run gunicorn and a Celery worker with its scheduler; yield them once the site answers; end both on the way out.

    They stand in sessions of their own, so that Ctrl-C reaches them through us alone and in order.

    Raises
    ------
    ServerEnded : one of them ended before the site answered.
    """
    python = [sys.executable, "-m"]
    commands = {
        "web server": [*python, "gunicorn", "deeplesion_site.wsgi", f"--bind=127.0.0.1:{port}", "--workers=2",
                       "--threads=4", "--log-level=warning", "--graceful-timeout=3", "--no-control-socket"],
        "worker": [*python, "celery", "--quiet", "--app=deeplesion_site", "worker", "--beat", "--concurrency=1",
                   "--loglevel=warning", f"--schedule={data_dir / 'beat'}", "--without-mingle", "--without-gossip"],
    }  # fmt: skip
    processes: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, command in commands.items():
            processes[name] = subprocess.Popen(command, start_new_session=True)
        _wait_for_answer(port, processes)
        yield processes
    finally:
        _end(processes)


def watch(processes: dict[str, subprocess.Popen[bytes]]) -> None:
    """Return never, unless a process ends.

    Raises
    ------
    ServerEnded
    """
    while True:
        for name, process in processes.items():
            if process.poll() is not None:
                raise ServerEnded(f"the {name} ended with status {process.returncode}")
        time.sleep(0.5)


def _wait_for_answer(port: int, processes: dict[str, subprocess.Popen[bytes]], limit_s: float = 60) -> None:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        for name, process in processes.items():
            if process.poll() is not None:
                raise ServerEnded(f"the {name} ended with status {process.returncode} before the site answered")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    raise ServerEnded(f"the site did not answer within {limit_s:.0f} s")


def _end(processes: dict[str, subprocess.Popen[bytes]]) -> None:
    for process in processes.values():
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + STOP_WITHIN_S
    for process in processes.values():
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
