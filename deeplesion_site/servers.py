"""The processes of one instance on one machine: the web server and the workers, started and ended together."""

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

QUEUES = ("io", "cpu", "gpu")
"""Those of the jobs; the first one has the scheduler with it."""

logger = logging.getLogger(__name__)

WEB, WORKER = "web server", " worker"
"""Names of the processes; the queue stands before the worker's."""

SETTLED_S = 10.0
"""A worker that ends sooner would end again and again."""


class PortTaken(RuntimeError):
    """Another program listens where the site should."""


class ServerEnded(RuntimeError):
    """A process ended that should have gone on."""


def check_port(port: int, command: str) -> None:
    """Refuse a port that somebody uses, before any long work is done; `command` is what to start with another one.

    Raises
    ------
    PortTaken
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise PortTaken(f"port {port} is in use; choose another one: {command} PORT={port + 1}") from error


@contextmanager
def running(port: int) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Run gunicorn and a Celery worker for each queue; yield them once the site answers; end all on the way out.

    A worker does one job at a time, and long work in one queue, such as a training, holds up no other one. The workers
    begin once the site answers, so that the first page does not wait for them.

    All stand in sessions of their own, so that Ctrl-C reaches them through us alone and in order.

    Raises
    ------
    ServerEnded : one of them ended before the site answered.
    """
    processes: dict[str, subprocess.Popen[bytes]] = {}
    try:
        processes[WEB] = subprocess.Popen(_web_server(port), start_new_session=True)
        _wait_for_answer(port, processes)
        for queue in QUEUES:
            processes[f"{queue}{WORKER}"] = _start_worker(queue)
        yield processes
    finally:
        _end(processes)


def watch(processes: dict[str, subprocess.Popen[bytes]], meanwhile: Callable[[], None] = lambda: None) -> None:
    """Return never, unless a process ends that cannot be replaced; `meanwhile` is called twice a second.

    A worker that ends after it was at work for a while, as when memory runs short, gets a successor, which takes up
    what the job's row says.

    Raises
    ------
    ServerEnded
    """
    began = dict.fromkeys(processes, time.monotonic())
    while True:
        meanwhile()
        for name, process in processes.items():
            if process.poll() is None:
                continue
            ended = f"the {name} ended with status {process.returncode}"
            if name == WEB or time.monotonic() - began[name] < SETTLED_S:
                raise ServerEnded(ended)
            logger.warning("%s; another one takes its place", ended)
            processes[name] = _start_worker(name.removesuffix(WORKER))
            began[name] = time.monotonic()
        time.sleep(0.5)


def _start_worker(queue: str) -> subprocess.Popen[bytes]:
    # Warnings come on stderr; on stdout each worker tells three times over how it ends.
    return subprocess.Popen(_worker(queue), stdout=subprocess.DEVNULL, start_new_session=True)


class _Stay(urllib.request.HTTPRedirectHandler):
    """Any answer will do: in production it is that the page is to be had by https alone, and nobody is there yet."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _wait_for_answer(port: int, processes: dict[str, subprocess.Popen[bytes]], limit_s: float = 60) -> None:
    deadline = time.monotonic() + limit_s
    visitor = urllib.request.build_opener(_Stay)
    while time.monotonic() < deadline:
        for name, process in processes.items():
            if process.poll() is not None:
                raise ServerEnded(f"the {name} ended with status {process.returncode} before the site answered")
        try:
            visitor.open(f"http://127.0.0.1:{port}/", timeout=5).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    raise ServerEnded(f"the site did not answer within {limit_s:.0f} s")


def _web_server(port: int) -> list[str]:
    options = ["--workers=2", "--threads=4", "--log-level=warning", "--graceful-timeout=3", "--no-control-socket"]
    return [sys.executable, "-m", "gunicorn", "deeplesion_site.wsgi", f"--bind=127.0.0.1:{port}", *options]


def _worker(queue: str) -> list[str]:
    # Celery warns whoever runs as root, in four lines; a demo that listens on loopback need not.
    python = [sys.executable, "-W", "ignore:You're running the worker", "-m"]
    options = [f"--queues={queue}", f"--hostname={queue}@%h", "--concurrency=1", "--loglevel=warning"]
    options += ["--without-mingle", "--without-gossip"]
    beat = ["--beat"] if queue == QUEUES[0] else []
    return [*python, "celery", "--quiet", "--app=deeplesion_site", "worker", *options, *beat]


def _end(processes: dict[str, subprocess.Popen[bytes]]) -> None:
    """Ask, ask again without waiting for work in hand (it is taken up again later), then end whole process groups.

    Another Ctrl-C meanwhile changes nothing: whoever it let go at once would leave the others behind.
    """
    for impatience in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(impatience, signal.SIG_IGN)
    for ask, wait_s in ((signal.SIGTERM, 3.0), (signal.SIGQUIT, 3.0), (signal.SIGKILL, 5.0)):
        deadline = time.monotonic() + wait_s
        for process in processes.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, ask) if ask is signal.SIGKILL else process.send_signal(ask)
        for process in processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
