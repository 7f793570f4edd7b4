"""A program beside the worker: it ends with the worker, however that ends, and so does all that it has started."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.conf import settings

from tests.peers.process import wait_until
from workers import supervise

PROGRAM = (
    "import os, pathlib, signal, subprocess, sys, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "child = subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
    "pathlib.Path(sys.argv[1]).write_text(f'{os.getpid()} {child.pid}')\n"
    "time.sleep(600)\n"
)
"""It turns a deaf ear, and what it starts has left its process group, as the ranks of torchrun do."""

WORKER = (
    "import pathlib, sys, django; django.setup()\n"
    "from workers.supervise import supervise\n"
    "command = [sys.executable, '-c', sys.argv[1], sys.argv[2]]\n"
    "supervise(command, log=pathlib.Path(sys.argv[2] + '.log'), tick=lambda: None)\n"
)


def started(path: Path) -> list[int]:
    """The processes of the program, once it has named them."""
    assert wait_until(lambda: path.is_file() and len(path.read_text().split()) == 2, 60)
    return [int(pid) for pid in path.read_text().split()]


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def worker(tmp_path):
    """A process that watches the program; with a lease of two seconds."""
    environment = {**os.environ, "JOB_LEASE_SECONDS": "2", "DJANGO_SETTINGS_MODULE": "deeplesion_site.settings"}
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, PROGRAM, str(tmp_path / "pids")], cwd=settings.BASE_DIR, env=environment
    )
    yield process
    process.send_signal(signal.SIGCONT)
    process.kill()
    process.wait()


def test_a_program_dies_with_its_worker(worker, tmp_path):
    processes = started(tmp_path / "pids")
    worker.kill()
    worker.wait()
    assert wait_until(lambda: not any(map(alive, processes)), 10), "the program outlived its worker"


def test_the_program_of_a_worker_that_pauses_past_its_lease_is_ended(worker, tmp_path):
    processes = started(tmp_path / "pids")
    worker.send_signal(signal.SIGSTOP)
    assert wait_until(lambda: not any(map(alive, processes)), 15), "two workers would train at once"


def test_a_program_that_ignores_the_request_is_gone_within_two_seconds(tmp_path):
    class Cancelled(Exception):
        pass

    noticed: list[float] = []

    def tick() -> None:
        if (tmp_path / "pids").is_file():
            noticed.append(time.monotonic())
            raise Cancelled

    with pytest.raises(Cancelled):
        supervise.supervise([sys.executable, "-c", PROGRAM, str(tmp_path / "pids")], log=tmp_path / "log", tick=tick)
    took = time.monotonic() - noticed[0]
    assert not any(map(alive, started(tmp_path / "pids")))
    assert took < 2, f"it took {took:.1f} s"


def test_a_watched_program_ends_with_the_watch_and_takes_its_children_along(tmp_path):
    code = (
        "import subprocess, sys, pathlib, time\n"
        "child = subprocess.Popen(['sleep', '60'])\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(child.pid))\n"
        "print('at work', flush=True); time.sleep(60)"
    )

    class Enough(Exception):
        pass

    def tick():
        if (tmp_path / "pid").is_file() and "at work" in supervise.tail(tmp_path / "log"):
            raise Enough

    with pytest.raises(Enough):
        supervise.supervise([sys.executable, "-c", code], log=tmp_path / "log", tick=tick)
    child = Path(f"/proc/{(tmp_path / 'pid').read_text()}/stat")
    assert not child.exists() or child.read_text().split()[2] == "Z"


def test_the_exit_of_a_watched_program_is_told(tmp_path):
    log = tmp_path / "log"
    assert supervise.supervise([sys.executable, "-c", "print('one'); raise SystemExit(3)"], log=log, tick=bool) == 3
    kill = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert supervise.supervise([sys.executable, "-c", kill], log=log, tick=bool) == -signal.SIGKILL
    assert supervise.tail(log) == "one"
