"""How long a job of each kind goes on after somebody asks for its end, in the middle of what takes it longest.

A step of the paper's detector takes a processor many seconds, an image of the one with nine slices two, and nothing
inside them looks at whether the work is still wanted. An import and a release hold SQLite's only write lock for
seconds: the request to cancel counts from when it is made, also while it waits for that. What is over within a second
even for the whole published dataset, as the start of a job or the last write of a manifest, is not met.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.cancel_cases import Case, cases
from benchmarks.result import Result

if TYPE_CHECKING:
    from tests.workers.faults.stage import Stage

AT_MOST = 2.0
LEASE_S = 60.0
"""As by default."""


def run() -> Iterator[Result]:
    """Measure in a process of its own, which has a database, a broker and a worker."""
    root = Path(__file__).resolve().parent.parent
    command = [sys.executable, "-m", "benchmarks.cancel"]
    program = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)
    assert program.stdout is not None
    for line in program.stdout:
        if line.startswith("{"):
            measured = json.loads(line)
            what = "s until the job has ended and nothing of it runs"
            yield Result(f"Cancel: {measured['name']}", measured["seconds"], what, at_most=AT_MOST)
    if program.wait():
        raise subprocess.CalledProcessError(program.returncode, command)


def _measure() -> None:
    from tests.workers.faults.stage import open_stage

    with open_stage("embedded", LEASE_S) as stage:
        stage.worker()
        for case in cases(stage):
            print(json.dumps({"name": case.name, "seconds": _cancelled(stage, case)}), flush=True)


def _cancelled(stage: "Stage", case: Case) -> float:
    """Start a job, cancel it once it is met where it shall be, and wait for its end; returns the seconds."""
    from workers import engine
    from workers.models import Job

    key = engine.enqueue(kind=case.kind, params=case.params).pk

    def found() -> bool:
        job = Job.objects.get(pk=key)
        assert job.unfinished, f"{case.name}: it ended before it was cancelled: {job.message}"
        return case.met(job)

    stage.until(found, f"{case.name} is at work", 600.0)
    begun = time.monotonic()
    engine.cancel(key)
    stage.finished([key])
    stage.until(lambda: not _programs(stage.folder), "its programs are gone")
    seconds = time.monotonic() - begun
    assert stage.state(key) == "cancelled", stage.state(key)
    return seconds


def _programs(folder: Path) -> list[str]:
    """Modules that work below a folder beside the worker."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if "-m" in words and any(str(folder) in word for word in words):
            found.append(words[words.index("-m") + 1])
    return found


if __name__ == "__main__":
    _measure()
