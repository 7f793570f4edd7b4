"""`manage.py` and its servers where somebody presses Ctrl-C, once or again and again."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import ManagementUtility

from deeplesion_site import servers

HOST = """
import pathlib, signal, sys
from deeplesion_site import servers
signal.signal(signal.SIGINT, signal.default_int_handler)  # A shell's background jobs inherit deaf ears.
servers._web_server = servers._worker = lambda *_: [sys.executable, "-c", sys.argv[2]]
servers._wait_for_answer = lambda *_: None
with servers.running(1) as processes:
    pathlib.Path(sys.argv[1]).write_text(" ".join(str(process.pid) for process in processes.values()))
    servers.watch(processes)
"""
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"


def test_a_second_ctrl_c_leaves_no_process_behind(tmp_path: Path) -> None:
    told = tmp_path / "pids"
    host = subprocess.Popen(
        [sys.executable, "-c", HOST, str(told), DEAF], cwd=settings.BASE_DIR, stderr=subprocess.DEVNULL
    )
    pids = [int(pid) for pid in _eventually(told).split()]
    for _ in range(3):
        host.send_signal(signal.SIGINT)
        time.sleep(0.3)
    host.wait(30)
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []


def test_a_worker_that_ends_has_a_successor_and_the_web_server_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "SETTLED_S", 0.0)
    monkeypatch.setattr(servers, "_worker", lambda *_: ["sleep", "60"])
    first = subprocess.Popen(["true"])
    processes = {servers.WEB: subprocess.Popen(["sleep", "60"]), f"io{servers.WORKER}": first}
    rounds = iter(range(40))

    def meanwhile() -> None:
        if processes[f"io{servers.WORKER}"] is not first or next(rounds, None) is None:
            processes[servers.WEB].kill()

    with pytest.raises(servers.ServerEnded, match="the web server ended with status -9"):
        servers.watch(processes, meanwhile)
    second = processes[f"io{servers.WORKER}"]
    assert second is not first
    assert second.poll() is None
    second.kill()
    second.wait()


def test_a_worker_that_ends_at_once_ends_all(monkeypatch: pytest.MonkeyPatch) -> None:
    processes = {f"io{servers.WORKER}": subprocess.Popen(["false"])}
    with pytest.raises(servers.ServerEnded, match="the io worker ended with status 1"):
        servers.watch(processes)


@pytest.mark.parametrize("text", ["-3mm", "-3", "-.5mm", "nan", "inf", "near"])
def test_a_context_that_is_none_is_answered_in_one_sentence(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        ManagementUtility(["manage.py", "harvest", "dir:///nowhere", "--context", text, "--dry-run"]).execute()
    assert ended.value.code == 2
    sentence = f"argument --context: '{text}' is neither millimetres from 0, as in 30mm, nor `series`"
    assert sentence in " ".join(capsys.readouterr().err.split())


def test_ctrl_c_is_answered_in_one_sentence() -> None:
    ended = subprocess.run(
        [sys.executable, "manage.py", "shell", "-c", "raise KeyboardInterrupt"],
        cwd=settings.BASE_DIR, env=os.environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr.strip()) == (130, "Ended before it was done; run it again to go on.")


def _eventually(path: Path) -> str:
    deadline = time.monotonic() + 30
    while not path.exists() or len(path.read_text().split()) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return path.read_text()
