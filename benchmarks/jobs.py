"""Jobs that do nothing, through Redis, PostgreSQL and four worker processes, against bare Celery tasks."""

import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.result import Result

JOBS, PROCESSES, ROUNDS = 200, 4, 3
ASKING = 4
"""Threads that ask at the same time, as those of a web server."""

AT_MOST = 4
LEASE_S = 60.0
"""As by default: a short one has the workers sweep all the time."""


def run() -> Iterator[Result]:
    """Measure in a process of its own, whose settings name the private servers."""
    root = Path(__file__).resolve().parent.parent
    command = [sys.executable, "-m", "benchmarks.jobs"]
    done = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)
    measured = json.loads(done.stdout.splitlines()[-1])
    ratio = measured["job_ms"] / measured["bare_ms"]
    what = f"times a bare Celery task: {measured['job_ms']:.1f} ms against {measured['bare_ms']:.1f} ms"
    yield Result("A job's overhead", ratio, what, at_most=AT_MOST)
    what = f"ms from request to start, median of {JOBS} jobs at once on {PROCESSES} processes"
    yield Result("A job's wait", measured["wait_ms"], what)
    what = f"of {ROUNDS * JOBS} jobs lost or run twice"
    yield Result("Jobs that went wrong", measured["wrong"], what, at_most=0)


def _measure() -> None:
    from tests.workers.faults.stage import open_stage

    with open_stage("servers", LEASE_S) as stage:
        from django.conf import settings

        from tests.workers.faults.worker_app import app
        from workers import engine
        from workers.models import Job

        begun = Path(settings.DATA_DIR) / "begun"

        def all_done(first: int) -> bool:
            return all((begun / str(number)).is_file() for number in range(first, first + JOBS))

        def ask(number: int) -> None:
            engine.enqueue(kind="steps", params={"number": number, "steps": 0})

        def timed(first: int, ask: Callable[[int], object]) -> float:
            start = time.perf_counter()
            with ThreadPoolExecutor(ASKING) as threads:
                list(threads.map(ask, range(first, first + JOBS)))
            while not all_done(first):
                time.sleep(0.002)
            return (time.perf_counter() - start) / JOBS * 1000

        stage.worker(processes=PROCESSES)
        bare = job = math.inf
        for round_ in range(ROUNDS + 1):
            first = 2 * JOBS * round_
            measured = timed(first, lambda number: app.send_task("bare", (number,), queue="io"))
            bare = min(bare, measured) if round_ else bare
            measured = timed(first + JOBS, ask)
            job = min(job, measured) if round_ else job
            stage.finished(list(Job.objects.values_list("pk", flat=True)))
        jobs = list(Job.objects.all())
        wrong = sum(each.state != "succeeded" or each.attempt != 1 for each in jobs)
        wrong += sum(len((begun / str(each.params["number"])).read_text().splitlines()) != 1 for each in jobs)
        waits = [(each.started - each.created).total_seconds() * 1000 for each in jobs if each.started]
        print(
            json.dumps({"bare_ms": bare, "job_ms": job, "wait_ms": statistics.median(waits), "wrong": wrong}),
            flush=True,
        )


if __name__ == "__main__":
    _measure()
