"""`python -m tests.workers.killed ADDRESS KILLS SEED`: a harvest killed at random moments, then run to its end.

One process forks every harvest, so that Django starts once. Prints how many were killed before they ended.
"""

import os
import random
import signal
import sys
import time

import django
from django.core.management import call_command
from django.db import connections


def harvest(address: str) -> int:
    """Harvest in a child; give its process id."""
    connections.close_all()
    child = os.fork()
    if child == 0:
        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
        status = 1
        try:
            call_command("harvest", address)
            status = 0
        finally:
            os._exit(status)
    return child


def main(address: str, kills: int, seed: int) -> None:
    dice = random.Random(seed)
    call_command("migrate", verbosity=0)
    killed, longest = 0, 0.5
    for _ in range(kills):
        began = time.monotonic()
        child = harvest(address)
        time.sleep(dice.uniform(0.02, longest))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        killed += os.WIFSIGNALED(status)
        # A harvest that was finished has nothing left to be killed in; late ones move the dice to earlier moments.
        longest = longest * 1.3 if os.WIFSIGNALED(status) else max(0.1, (time.monotonic() - began) * 0.9)
    _, status = os.waitpid(harvest(address), 0)
    print(killed, os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deeplesion_site.settings")
    django.setup()
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
