"""A broker that is gone, forgets, or says everything three times; a database that is restarted."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import connection
from django.test import Client

from tests.workers.faults import judge
from tests.workers.faults.stage import LEASE_S, Stage
from workers import engine
from workers.models import Job, Worker

WITHOUT_BROKER_S = 10.0
"""How long whoever asks may have to wait for a broker that hangs."""


def delivered_three_times(stage: Stage, jobs: int) -> str:
    """Send every message three times, to a worker that takes four at once."""
    stage.worker(processes=4)
    keys = stage.enqueue(jobs, steps=2, pause=0.05)
    for key in keys:
        for _ in range(2):
            assert engine.publish(key, "io")
    stage.finished(keys)
    judge.one_result_each(keys, steps=2)
    begun = [judge.attempts_begun(key) for key in keys]
    assert begun == [1] * jobs, begun
    return f"{jobs} jobs, {3 * jobs} messages, each begun once"


def broker_stopped_and_started(stage: Stage) -> str:
    """Stop the broker while jobs run and wait; it forgets what it held; start it again."""
    stage.worker(processes=2)
    keys = stage.enqueue(6, steps=4, pause=0.2)
    stage.until(lambda: Job.objects.filter(pk__in=keys, state="running").exists(), "a job is at work")
    stage.stop_redis()
    during = stage.enqueue(2, steps=4, pause=0.2)
    stage.until(lambda: Job.objects.filter(pk__in=keys, state="succeeded").exists(), "work goes on without the broker")
    stage.start_redis()
    stage.finished(keys + during)
    judge.one_result_each(keys + during, steps=4)
    return "8 jobs finished once each; 2 of them were queued while it was down"


def broker_paused(stage: Stage) -> str:
    """Let the broker hang: whoever asks is answered, the worker stays known, and what waits is sent afterwards."""
    stage.worker()
    (before,) = stage.enqueue(1, steps=1)
    stage.finished([before])
    with stage.redis_paused():
        begun = time.monotonic()
        (during,) = stage.enqueue(1, steps=1)
        enqueued_s = time.monotonic() - begun
        assert Job.objects.filter(pk=during, published=None).exists(), "the message was taken to be sent"
        begun = time.monotonic()
        status = Client().get("/health/ready", headers={"host": "localhost"}).status_code
        answered_s = time.monotonic() - begun
        assert status == 503, status
        for _ in range(3):
            # Workers that an earlier fault killed have rows still.
            later = Worker.objects.filter(seen__gt=Worker.objects.latest("seen").seen)
            stage.until(later.exists, "a sign of life", LEASE_S)
    stage.finished([during])
    judge.one_result_each([before, during], steps=1)
    assert max(enqueued_s, answered_s) < WITHOUT_BROKER_S, f"it took {enqueued_s:.1f} s and {answered_s:.1f} s"
    return f"asked for in {enqueued_s:.1f} s, health told in {answered_s:.1f} s; sent when it went on"


def broker_down_at_commit(stage: Stage) -> str:
    """The message cannot be sent in the moment in which the row is committed."""
    with _without_broker(stage):
        keys = stage.enqueue(3, steps=1)
        assert not Job.objects.filter(pk__in=keys, published__isnull=False).exists(), "the messages were sent"
    stage.worker()
    stage.finished(keys)
    judge.one_result_each(keys, steps=1)
    return "3 rows waited for the sweep, each finished once"


@contextmanager
def _without_broker(stage: Stage) -> Iterator[None]:
    if stage.backend == "servers":
        stage.stop_redis()
        yield
        stage.start_redis()
        return
    # A file stands where the folder was, which refuses root, too.
    folder = Path(stage.environment["DATA_DIR"]) / "broker" / "messages"
    shutil.rmtree(folder)
    folder.touch()
    yield
    folder.unlink()
    folder.mkdir()


def database_restarted(stage: Stage) -> str:
    """Restart PostgreSQL under running jobs: every connection breaks."""
    assert stage.postgres is not None
    stage.worker(processes=2)
    keys = stage.enqueue(4, steps=20, pause=0.1)
    stage.until(lambda: Job.objects.filter(pk__in=keys, done__gte=3).exists(), "a job is at work")
    stage.postgres.restart()
    connection.close()
    stage.finished(keys)
    judge.one_result_each(keys, steps=20)
    attempts = list(Job.objects.filter(pk__in=keys).order_by("pk").values_list("attempt", flat=True))
    return f"4 jobs finished once each, after {attempts} attempts"
