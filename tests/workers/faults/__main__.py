"""`make faults`: play every scenario, each in a process of its own, and print a table.

`python -m tests.workers.faults --only NAME BACKEND` plays one in this process; with `--quick`, its smaller version.
"""

import argparse
import subprocess
import sys
import time

import pytest

from tests.peers.packages import NotInstalled
from tests.workers.faults.scenarios import ALL, find
from tests.workers.faults.stage import open_stage

SKIPPED = 77
LONGEST_S = 1200


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.workers.faults", description=__doc__)
    parser.add_argument("--only", nargs=2, metavar=("NAME", "BACKEND"))
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.only:
        return play(*options.only, quick=options.quick)
    print(f"{'fault':<36} {'backend':<9} {'seconds':>7}  what was found", flush=True)
    failed = 0
    for scenario in ALL:
        for backend in scenario.backends:
            begun = time.monotonic()
            done = played(scenario.name, backend)
            words = done.stdout.strip().splitlines()[-1:] or ["no word"]
            verdict = {0: words[0], SKIPPED: f"SKIPPED: {words[0]}"}.get(done.returncode, "FAILED")
            print(f"{scenario.name:<36} {backend:<9} {time.monotonic() - begun:>7.1f}  {verdict}", flush=True)
            if done.returncode not in (0, SKIPPED):
                failed += 1
                print(done.stdout[-3000:], done.stderr[-6000:], flush=True)
    return 1 if failed else 0


def played(name: str, backend: str, *options: str) -> "subprocess.CompletedProcess[str]":
    """Play a scenario in a process of its own."""
    command = [sys.executable, "-m", "tests.workers.faults", "--only", name, backend, *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S, check=False)


def play(name: str, backend: str, quick: bool) -> int:
    """Play a scenario here; the last line says what was found."""
    try:
        with open_stage(backend) as stage:
            print(find(name).play(stage, quick), flush=True)
    except (NotInstalled, pytest.skip.Exception) as reason:
        print(reason)
        return SKIPPED
    return 0


if __name__ == "__main__":
    sys.exit(main())
