"""`make faults`: play every scenario on SQLite with files and on PostgreSQL with Redis, and print a table.

Each scenario has a process, a database, a broker and a data folder of its own; one of each backend plays at a time.
The moments of the kills are drawn from the seed that the first line names; `--seed` takes it again.
"""

import argparse
import json
import random
import subprocess
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

import pytest

from tests.peers.needed import required
from tests.peers.packages import NotInstalled
from tests.workers.faults import scenarios
from tests.workers.faults.stage import BACKENDS, Stage, open_stage

LONGEST_S = 1200
LEAST_KILLS = 30
"""In all scenarios of both backends together."""
ROW = "{fault:<36} {backend:<9} {kills:>5} {seconds:>7}  {outcome}"

_printing = threading.Lock()


@dataclass(frozen=True)
class Played:
    """A line of the table."""

    fault: str
    backend: str
    outcome: str
    """passed, skipped or failed."""
    kills: int
    seconds: float
    words: str
    """What was found, why it was skipped, or how it failed."""

    def print(self) -> None:
        """Print it; a failure with all that is known of it."""
        found = f"{self.outcome}: " + (self.words if self.outcome != "failed" else "see below\n" + self.words)
        seconds = f"{self.seconds:.1f}"
        with _printing:
            print(ROW.format(**{**asdict(self), "seconds": seconds, "outcome": found}), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.workers.faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--backend", choices=BACKENDS, help="only this one")
    parser.add_argument("--fault", choices=[each.name for each in scenarios.ALL], help="only this one")
    parser.add_argument("--quick", action="store_true", help="as the test suite plays them: smaller")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        chosen = (
            [scenarios.find(options.fault)] if options.fault else scenarios.of(options.backend, quick=options.quick)
        )
        for each in play(options.backend, chosen, options.seed, quick=options.quick):
            print(json.dumps(asdict(each)), flush=True)
        return 0
    print(f"seed {options.seed}")
    print(
        ROW.format(fault="fault", backend="backend", kills="kills", seconds="seconds", outcome="outcome"), flush=True
    )
    begun = time.monotonic()

    def lane(backend: str) -> list[Played]:
        done = []
        for scenario in scenarios.of(backend, quick=options.quick):
            if options.fault in (None, scenario.name):
                done += played(backend, options.seed, scenario.name, quick=options.quick)
                done[-1].print()
        return done

    with ThreadPoolExecutor(len(BACKENDS)) as lanes:
        chosen = [backend for backend in BACKENDS if options.backend in (None, backend)]
        everything = [each for done in lanes.map(lane, chosen) for each in done]
    of = {outcome: sum(each.outcome == outcome for each in everything) for outcome in ("passed", "skipped", "failed")}
    kills = sum(each.kills for each in everything)
    told = ", ".join(f"{count} {outcome}" for outcome, count in of.items() if count)
    print(f"{told}; {kills} workers killed; {time.monotonic() - begun:.0f} s")
    wrong = []
    if of["skipped"] and required():
        wrong.append("REQUIRE_SERVICES=1 lets no fault be skipped")
    if not (options.quick or options.fault or options.backend or of["skipped"]) and kills < LEAST_KILLS:
        wrong.append(f"fewer than {LEAST_KILLS} workers were killed")
    for each in everything:
        if each.outcome == "skipped":
            print(f"not played: {each.fault} ({each.backend}): {each.words}")
    for sentence in wrong:
        print(f"FAILED: {sentence}")
    return 1 if of["failed"] or wrong else 0


def played(backend: str, seed: int, fault: str | None = None, *, quick: bool) -> list[Played]:
    """Play one scenario, or all of a backend after one another, in a process of its own."""
    options = [*(["--fault", fault] if fault else []), *(["--quick"] if quick else [])]
    command = [
        sys.executable, "-m", "tests.workers.faults", "--here", "--backend", backend, "--seed", str(seed), *options
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith('{"fault"')]
    found = [Played(**json.loads(line)) for line in lines]
    if done.returncode:
        found.append(Played(fault or "all", backend, "failed", 0, 0.0, done.stdout[-3000:] + done.stderr[-6000:]))
    return found


def play(backend: str, chosen: list[scenarios.Scenario], seed: int, *, quick: bool) -> list[Played]:
    """Play scenarios here, one after the other on one stage."""
    try:
        with open_stage(backend) as stage:
            return [_play(stage, scenario, seed, quick=quick) for scenario in chosen]
    except NotInstalled as reason:
        return [Played(scenario.name, backend, "skipped", 0, 0.0, str(reason)) for scenario in chosen]


def _play(stage: Stage, scenario: scenarios.Scenario, seed: int, *, quick: bool) -> Played:
    stage.choice.seed(f"{seed} {scenario.name} {stage.backend}")
    begun = time.monotonic()
    try:
        outcome, words = "passed", scenario.play(stage, quick=quick)
    except pytest.skip.Exception as reason:
        outcome, words = "skipped", str(reason)
    except Exception:
        outcome, words = "failed", f"{traceback.format_exc()}\n{stage.jobs()}"
    kills = stage.kills
    stage.clear()
    return Played(scenario.name, stage.backend, outcome, kills, time.monotonic() - begun, words)


if __name__ == "__main__":
    sys.exit(main())
