"""`python -m tests.workers.killed ADDRESS KILLS SEED`: harvests killed at moments spread over all their work.

One process forks every harvest, so that Django starts once. A harvest that ends before its moment leaves nothing to
be killed in: what it made is put aside beside `DATA_DIR`, as `round-1`, `round-2` and so on, and the next one begins
from nothing. The last round is run to its end. Prints how many harvests were killed.
"""

import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import django
from django.conf import settings
from django.core.management import call_command
from django.db import connections

SOONER = 0.9
"""On a busy machine the first harvest took longer than the later ones."""


def harvest(address: str, seconds: float | None = None) -> tuple[bool, float]:
    """Harvest in a child, killed after a time; give whether it was, and how long it took."""
    connections.close_all()
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
        status = 1
        try:
            call_command("harvest", address)
            status = 0
        finally:
            os._exit(status)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status) and os.waitstatus_to_exitcode(status):
        raise SystemExit("a harvest failed")
    return os.WIFSIGNALED(status), time.monotonic() - began


class Rounds:
    """Data directories, each harvested from nothing to the end."""

    def __init__(self) -> None:
        self._data = Path(settings.DATA_DIR)
        self._empty = self._data.with_name("empty")
        self._done = 0
        call_command("migrate", verbosity=0)
        connections.close_all()
        shutil.copytree(self._data, self._empty)

    def end(self) -> None:
        """Put a finished round aside and begin another."""
        self._done += 1
        self._data.rename(self._data.with_name(f"round-{self._done}"))
        shutil.copytree(self._empty, self._data)


def main(address: str, kills: int, seed: int) -> None:
    """Kill one harvest in each of so many equal parts of the time that an undisturbed one takes."""
    dice = random.Random(seed)
    rounds = Rounds()
    _, whole = harvest(address)
    rounds.end()
    moments = [(part + dice.random()) / kills for part in range(kills)]
    dice.shuffle(moments)
    killed = 0
    for moment in moments:
        while not harvest(address, moment * whole)[0]:
            whole *= SOONER
            rounds.end()
        killed += 1
    harvest(address)
    rounds.end()
    print(killed)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deeplesion_site.settings")
    django.setup()
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
