"""Where a scenario plays: a data folder, a database and a broker of its own, and workers that can be hurt."""

import contextlib
import os
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
ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Stage:
    """What a scenario is given."""

    backend: str
    folder: Path
    stack: ExitStack
    environment: dict[str, str]
    postgres: RestartablePostgres | None = None
    redis_port: int = 0
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _redis: ExitStack = field(default_factory=ExitStack)

    def enqueue(self, count: int = 1, first: int = 1, **params: Any) -> list[int]:
        """Queue jobs that take steps; return their keys."""
        from workers import engine

        made = [
            engine.enqueue(kind="steps", params={"number": number, **params}) for number in range(first, first + count)
        ]
        return [job.pk for job in made]

    def worker(self, *, processes: int = 1, **environment: str) -> subprocess.Popen[bytes]:
        """Start a worker and wait until it is there."""
        log = (self.folder / f"worker-{len(self.workers)}.log").open("wb")
        command = [
            sys.executable, "-m", "celery", "--quiet", "--app=tests.workers.faults.worker_app", "worker",
            f"--concurrency={processes}", "--loglevel=warning", "--without-mingle", "--without-gossip",
        ]  # fmt: skip
        process = subprocess.Popen(
            command, cwd=ROOT, env={**self.environment, **environment}, stdin=subprocess.DEVNULL, stdout=log,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        log.close()
        self.workers.append(process)
        self.until(lambda: self._is_there(process), "the worker is there")
        return process

    def _is_there(self, process: subprocess.Popen[bytes]) -> bool:
        from workers.models import Worker

        assert process.poll() is None, self.told()
        return any(name.endswith(f":{process.pid}") for name in Worker.objects.values_list("name", flat=True))

    def kill(self, worker: subprocess.Popen[bytes]) -> None:
        """End a worker and its processes with SIGKILL, as the kernel does when memory is short."""
        self.signal(worker, signal.SIGKILL)
        worker.wait()

    def signal(self, worker: subprocess.Popen[bytes], number: signal.Signals) -> None:
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
            time.sleep(0.05)

    def jobs(self) -> str:
        """Every unfinished job with its log."""
        from workers.models import Job

        left = Job.objects.filter(state__in=Job.UNFINISHED)
        return "\n".join(
            f"job {job.pk} {job.state} {job.done}/{job.total} {job.message}: "
            + "; ".join(f"{event}" for event in job.events.all())
            for job in left
        )

    def finished(self, keys: list[int], within_s: float = PATIENCE_S) -> None:
        """Wait until jobs are finished."""
        from workers.models import Job

        unfinished = Job.objects.filter(pk__in=keys, state__in=Job.UNFINISHED)
        self.until(lambda: not unfinished.exists(), "all jobs are finished", within_s)

    def state(self, key: int) -> str:
        """The state of a job."""
        from workers.models import Job

        return Job.objects.values_list("state", flat=True).get(pk=key)

    def start_redis(self) -> None:
        """Start Redis on its port, empty."""
        self._redis.enter_context(private_redis(self.redis_port))

    def stop_redis(self) -> None:
        """Stop Redis; what it held is lost."""
        self._redis.close()

    def end(self) -> None:
        """End everything."""
        for worker in self.workers:
            self.signal(worker, signal.SIGCONT)
            self.kill(worker)
        self._redis.close()


@contextmanager
def open_stage(backend: str, lease_s: float = LEASE_S) -> Iterator[Stage]:
    """Set a stage; Django's settings are read here, so that it works once in a process."""
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder("faults"))
        stage = Stage(backend, folder, stack, {})
        stack.callback(stage.end)
        os.environ |= {
            "DATA_DIR": str(folder / "data"),
            "JOB_LEASE_SECONDS": str(lease_s),
            "DJANGO_SETTINGS_MODULE": "deeplesion_site.settings",
        }
        for name in ("DATABASE_URL", "CELERY_BROKER_URL", "IDENTITY_KEY_FILE", "PRODUCTION"):
            os.environ.pop(name, None)
        if backend == "servers":
            stage.postgres = stack.enter_context(RestartablePostgres.private())
            stage.redis_port = free_port()
            stage.start_redis()
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
