"""`make demo`, as a person runs it: from nothing to a release on screen, and Ctrl-C leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings

from tests.peers.process import free_port

START_WITHIN_S = 240


@contextmanager
def demo(data, port, *options, command="demo", until="keep-lesions", more=None):
    """Run the demo until it serves; end it with Ctrl-C; give it and what it printed.

    Or another command that serves; `until` is what it prints last, `more` are further settings.
    """
    hidden = ("DATABASE_URL", "CELERY_BROKER_URL", "SECRET_KEY")
    environment = {
        **{k: v for k, v in os.environ.items() if k not in hidden},
        "DATA_DIR": str(data),
        "PORT": str(port),
        **(more or {}),
    }
    printed = Path(data).with_suffix(f".{port}.txt")
    with printed.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "manage.py", command, *options],
            cwd=settings.BASE_DIR, env=environment, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + START_WITHIN_S
        while until not in printed.read_text():
            assert process.poll() is None, printed.read_text()
            assert time.monotonic() < deadline, printed.read_text()
            time.sleep(0.2)
        yield process, printed
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
        return answer.read().decode()


def processes_of(data):
    """Processes that work in a data folder, by its name in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and f"DATA_DIR={data}\0".encode() in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except (PermissionError, FileNotFoundError, ProcessLookupError):
            continue
    return found


def assert_nothing_left(data):
    """Python's own helper processes notice the end of their parent a moment later."""
    deadline = time.monotonic() + 5
    while left := processes_of(data):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


@pytest.mark.slow
def test_the_demo_builds_publishes_serves_ends_and_goes_on(tmp_path):
    data, port = tmp_path / "var", free_port()
    with demo(data, port, "--patients", "3") as (process, printed):
        text = printed.read_text()
        assert "Phantom hospital" in text, "a progress bar for the long step"
        assert f"http://127.0.0.1:{port}/" in text
        for account in ("researcher", "curator", "admin"):
            assert account in text.splitlines()[-3:][("researcher", "curator", "admin").index(account)]
        releases = json.loads(get(port, "/api/v1/releases/"))["results"]
        assert [release["name"] for release in releases] == ["demo-1.0"]
        assert releases[0]["counts"]["train"]["lesions"] > 0
        assert "demo-1.0" in get(port, "/releases/")
        deadline = time.monotonic() + 60
        while json.loads(get(port, "/api/v1/releases/demo-1.0/"))["manifest_sha256"] in (None, ""):
            assert time.monotonic() < deadline, "the worker has not made the manifest"
            time.sleep(0.3)
        manifest = json.loads(get(port, "/releases/demo-1.0/manifest.json"))
        assert any(file["path"].startswith("Images_png/") for file in manifest["files"])
        assert len(processes_of(data)) > 2
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert_nothing_left(data)
    with demo(data, port) as (_, printed):
        assert "Phantom hospital" not in printed.read_text(), "what is there is used again"
        assert "demo-1.0" in get(port, "/releases/")
    assert_nothing_left(data)


def test_a_port_in_use_is_told_before_anything_is_done(tmp_path):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        environment = {**os.environ, "DATA_DIR": str(tmp_path / "var"), "PORT": str(port)}
        ended = subprocess.run([sys.executable, "manage.py", "demo"], cwd=settings.BASE_DIR, env=environment,
                               capture_output=True, text=True, check=False)  # fmt: skip
    assert ended.returncode == 1
    assert (
        ended.stderr.strip() == f"CommandError: port {port} is in use; choose another one: make demo PORT={port + 1}"
    )
    assert not (tmp_path / "var" / "phantom").exists()
