"""Workers that are killed at random moments, and one that pauses past its lease."""

import os
import signal
import subprocess
import sys
import time

from django.db.models.functions import Now

from tests.workers.faults import judge
from tests.workers.faults.stage import LEASE_S, ROOT, Stage, Worker
from workers.models import Job


def at_random_moments(stage: Stage, kills: int) -> str:
    """Kill the only worker again and again while it takes the steps of several jobs."""
    jobs = max(2, kills // 3)
    keys = stage.enqueue(jobs, steps=6, pause=0.25)
    held = Job.objects.filter(pk__in=keys, state__in=Job.HELD, lease_until__gt=Now())
    for _ in range(kills):
        worker = stage.worker(processes=2)
        stage.until(held.exists, "a job is at work")
        time.sleep(stage.choice.uniform(0.0, LEASE_S / 2))
        stage.kill(worker)
    stage.worker(processes=2)
    stage.finished(keys)
    judge.one_result_each(keys, steps=6)
    begun = sum(judge.attempts_begun(key) for key in keys)
    return f"{kills} kills, {jobs} jobs, begun {begun} times, each finished once"


def paused_past_its_lease(stage: Stage) -> str:
    """Stop a worker in the middle; another one takes the job; the first wakes up and must write nothing."""
    (key,) = stage.enqueue(1, steps=40, pause=0.1)
    first = stage.worker()
    stage.until(lambda: Job.objects.get(pk=key).done >= 3, "the job is at work")
    stage.signal(first, signal.SIGSTOP)
    second = stage.worker()
    stage.until(lambda: Job.objects.get(pk=key).attempt == 2, "the other worker has it")
    stage.signal(first, signal.SIGCONT)
    stage.until(lambda: "another worker's" in first.log.read_text(), "the first worker noticed")
    job = Job.objects.get(pk=key)
    assert job.attempt == 2, "the first worker took it back"
    stage.finished([key])
    judge.one_result_each([key], steps=40)
    job.refresh_from_db()
    assert _runs_in(job.worker, second), f"{job.worker} finished it"
    assert set(job.events.filter(kind="succeeded").values_list("attempt", flat=True)) == {2}
    return "woke up, wrote nothing; the second worker's result stands"


def _runs_in(name: str, worker: Worker) -> bool:
    """Whether the process of a name is a worker's or of its group."""
    return os.getpgid(int(name.rpartition(":")[2])) == worker.pid


def two_claim_at_once(stage: Stage, rounds: int) -> str:
    """Two processes reach for the same job in the same moment, again and again."""
    keys = stage.enqueue(rounds)
    code = (
        "import sys, time, django; django.setup()\n"
        "from workers.engine import lease\n"
        "from workers.models import Job, JobEvent\n"
        "from django.db import connection; connection.ensure_connection()\n"
        "print('ready', flush=True); moment = float(sys.stdin.readline())\n"
        "while time.time() < moment: pass\n"
        f"claims = [claim for key in {keys} if (claim := lease.claim(key, sys.argv[1]))]\n"
        "for claim in claims: lease.settle(claim, Job.State.SUCCEEDED, JobEvent.Kind.SUCCEEDED)\n"
        "print(len(claims))\n"
    )
    rivals = [
        subprocess.Popen([sys.executable, "-c", code, name], cwd=ROOT, env=stage.environment, text=True,
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for name in ("a:1", "b:2")
    ]  # fmt: skip
    for rival in rivals:
        assert rival.stdout is not None
        assert rival.stdout.readline() == "ready\n"
    won, moment = [], time.time() + 0.2
    for rival in rivals:
        assert rival.stdin is not None
        rival.stdin.write(f"{moment}\n")
        rival.stdin.flush()
    for rival in rivals:
        won.append(int(rival.communicate(timeout=60)[0]))
    assert sum(won) == rounds, f"{won} claims of {rounds} jobs"
    assert set(Job.objects.filter(pk__in=keys).values_list("attempt", flat=True)) == {1}
    for job in Job.objects.filter(pk__in=keys):
        assert list(job.events.values_list("kind", flat=True)) == ["queued", "started", "succeeded"]
    return f"{rounds} jobs, claimed {won[0]} and {won[1]} times, none twice"
