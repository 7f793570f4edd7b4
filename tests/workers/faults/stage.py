"""Where a scenario plays: a data folder, a database and a broker of its own, and workers that can be hurt."""

import contextlib
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.peers.postgres import RestartablePostgres
from tests.peers.process import free_port, temporary_folder
from tests.peers.redis import private_redis

BACKENDS = ("embedded", "servers")
"""SQLite and files; PostgreSQL and Redis."""

LEASE_S = 2.0
PATIENCE_S = 120.0
LOOK_EVERY_S = 0.02
ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Worker:
    """A Celery worker: the leader of its process group."""

    pid: int
    log: Path

    @property
    def alive(self) -> bool:
        """Whether its main process is there."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, 0)
            return True
        return False


@dataclass
class Stage:
    """What a scenario is given."""

    backend: str
    folder: Path
    environment: dict[str, str]
    choice: random.Random = field(default_factory=random.Random)
    postgres: RestartablePostgres | None = None
    redis_port: int = 0
    redis_pid: int = 0
    kills: int = 0
    """Workers that were killed while they were needed."""
    workers: list[Worker] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _nurseries: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    _redis: ExitStack = field(default_factory=ExitStack)

    def enqueue(self, count: int = 1, **params: Any) -> list[int]:
        """Queue jobs that take steps; return their keys."""
        from workers import engine

        numbers = itertools.islice(self._numbers, count)
        return [engine.enqueue(kind="steps", params={"number": number, **params}).pk for number in numbers]

    def worker(
        self, *, processes: int = 1, queues: str = "io,cpu,gpu", load: tuple[str, ...] = (), **environment: str
    ) -> Worker:
        """Start a worker and wait until it is there.

        Parameters
        ----------
        load : modules that it has loaded from the start.
        environment : what is different in its environment.
        """
        log = self.folder / f"worker-{len(self.workers)}.log"
        nursery = self._nursery(environment)
        assert nursery.stdin is not None
        assert nursery.stdout is not None
        wanted = {"processes": processes, "queues": queues, "load": load, "log": str(log)}
        nursery.stdin.write(json.dumps(wanted) + "\n")
        nursery.stdin.flush()
        worker = Worker(int(nursery.stdout.readline()), log)
        self.workers.append(worker)
        self.until(lambda: self._is_there(worker), "the worker is there")
        return worker

    def hospital(self, patients: int = 3) -> Path:
        """A phantom hospital of so many patients with small images, written once."""
        from datasets.phantom.hospital import write_hospital

        folder = self.folder / f"hospital-{patients}"
        if not folder.is_dir():
            write_hospital(folder, patients=patients, seed=7, size=128)
        return folder / "dicom"

    def _nursery(self, environment: dict[str, str]) -> "subprocess.Popen[str]":
        key = json.dumps(environment, sort_keys=True)
        if key not in self._nurseries:
            self._nurseries[key] = subprocess.Popen(
                [sys.executable, "-m", "tests.workers.faults.nursery"], cwd=ROOT, text=True,
                env={**self.environment, **environment}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )  # fmt: skip
        return self._nurseries[key]

    def _is_there(self, worker: Worker) -> bool:
        from workers import models

        assert worker.alive, self.told()
        return any(name.endswith(f":{worker.pid}") for name in models.Worker.objects.values_list("name", flat=True))

    def kill(self, worker: Worker) -> None:
        """End a worker and its processes with SIGKILL, as the kernel does when memory is short."""
        self.signal(worker, signal.SIGKILL)
        self.until(lambda: not worker.alive, "the worker is gone")
        self.workers.remove(worker)
        self.kills += 1

    def signal(self, worker: Worker, number: signal.Signals) -> None:
        """Send a signal to a worker and its processes."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(worker.pid, number)

    def told(self) -> str:
        """The ends of the workers' logs."""
        logs = sorted(self.folder.glob("worker-*.log"))
        return "\n".join(f"{log.name}: {log.read_text(errors='replace')[-1500:]}" for log in logs)

    def until(self, condition: Callable[[], bool], what: str, within_s: float = PATIENCE_S) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline, f"waited {within_s:.0f} s until {what}\n{self.jobs()}\n{self.told()}"
            time.sleep(LOOK_EVERY_S)

    def jobs(self) -> str:
        """Every unfinished job with its log."""
        from workers.models import Job

        left = Job.objects.filter(state__in=Job.UNFINISHED)
        return "\n".join(
            f"job {job.pk} {job.state} {job.done}/{job.total} {job.message}: "
            + "; ".join(f"{event}" for event in job.events.all())
            for job in left
        )

    def finished(self, keys: list[int] | None = None, within_s: float = PATIENCE_S) -> None:
        """Wait until jobs are finished; all of them unless named."""
        from workers.models import Job

        unfinished = Job.objects.filter(state__in=Job.UNFINISHED)
        if keys is not None:
            unfinished = unfinished.filter(pk__in=keys)
        self.until(lambda: not unfinished.exists(), "all jobs are finished", within_s)

    def state(self, key: int) -> str:
        """The state of a job."""
        from workers.models import Job

        return Job.objects.values_list("state", flat=True).get(pk=key)

    def start_redis(self) -> None:
        """Start Redis on its port, empty."""
        self.redis_pid = self._redis.enter_context(private_redis(self.redis_port)).pid

    @contextmanager
    def redis_paused(self) -> Iterator[None]:
        """Let Redis take connections and answer nothing while the block runs."""
        os.kill(self.redis_pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.redis_pid, signal.SIGCONT)

    def stop_redis(self) -> None:
        """Stop Redis; what it held is lost."""
        self._redis.close()

    def clear(self) -> None:
        """End the workers of a scenario, so that the next one begins with none."""
        for worker in list(self.workers):
            self.kill(worker)
        self.kills = 0

    def end(self) -> None:
        """End everything."""
        for nursery in self._nurseries.values():
            nursery.communicate()
        self._redis.close()


@contextmanager
def open_stage(backend: str, lease_s: float = LEASE_S) -> Iterator[Stage]:
    """Set a stage; Django's settings are read here, so that it works once in a process."""
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder("faults"))
        stage = Stage(backend, folder, {})
        stack.callback(stage.end)
        os.environ |= {
            "DATA_DIR": str(folder / "data"),
            "JOB_LEASE_SECONDS": str(lease_s),
            "DJANGO_SETTINGS_MODULE": "deeplesion_site.settings",
        }
        for name in ("DATABASE_URL", "CELERY_BROKER_URL", "IDENTITY_KEY_FILE", "PRODUCTION"):
            os.environ.pop(name, None)
        if backend == "servers":
            stage.redis_port = free_port()
            stage.start_redis()
            stage.postgres = stack.enter_context(RestartablePostgres.private())
            os.environ["DATABASE_URL"] = stage.postgres.url
            os.environ["CELERY_BROKER_URL"] = f"redis://127.0.0.1:{stage.redis_port}/0"
        stage.environment = dict(os.environ)
        import django
        from django.core.management import call_command

        django.setup()
        from tests.workers.faults import work

        work.make_known()
        call_command("migrate", verbosity=0)
        yield stage
