"""Starts workers by forking: what takes seconds to load is loaded once, however many workers a scenario kills.

`python -m tests.workers.faults.nursery` reads a line of JSON for each worker and answers with its process id. Each is
the program that `celery worker` is, in a session of its own. When its input ends, it ends with all of them.
"""

import json
import os
import signal
import sys
from importlib import import_module
from typing import Any

from deeplesion_site.celery import app

_alive: set[int] = set()


def main() -> None:
    import_module("tests.workers.faults.worker_app")
    signal.signal(signal.SIGCHLD, _reap)
    for line in sys.stdin:
        wanted = json.loads(line)
        for name in wanted["load"]:
            import_module(name)
        child = os.fork()
        if child == 0:
            _be_a_worker(wanted)
        _alive.add(child)
        print(child, flush=True)
    for child in list(_alive):
        os.killpg(child, signal.SIGKILL)


def _reap(*_: object) -> None:
    for child in list(_alive):
        if os.waitpid(child, os.WNOHANG)[0]:
            _alive.discard(child)


def _be_a_worker(wanted: dict[str, Any]) -> None:
    """Never returns."""
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        log = os.open(wanted["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        app.start(
            [
                "--quiet", "worker", f"--concurrency={wanted['processes']}", f"--queues={wanted['queues']}",
                "--loglevel=warning", "--without-mingle", "--without-gossip",
            ]
        )  # fmt: skip
    finally:
        os._exit(1)


if __name__ == "__main__":
    main()
