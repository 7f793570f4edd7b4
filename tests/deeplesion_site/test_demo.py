"""`make demo`, as a person runs it: from nothing to a release on screen, and Ctrl-C leaves nothing behind."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path

import pytest
from django.conf import settings

from tests.datasets import tables
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


def runs(port):
    return [(run["release"], run["preset"]) for run in json.loads(get(port, "/api/v1/runs/"))["results"]]


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


def download(folder):
    """A DeepLesion download of three patients: two slices each, one with a lesion."""
    rows = [tables.row(number, split=number, slice=10) for number in (1, 2, 3)]
    folder.mkdir()
    tables.write(folder / "DL_info.csv", rows)
    for row in rows:
        for number in (10, 11):
            tables.draw(folder / "Images_png", row.folder, number, seed=row.patient)
    return folder


def answered(port, path, ready):
    """What the API says once it says what is waited for; the worker trains the regressor in between."""
    deadline = time.monotonic() + START_WITHIN_S
    while True:
        found = json.loads(get(port, path))
        if ready(found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.2)


def imports(data):
    """State and result of every import, read as the site stores them."""
    with closing(sqlite3.connect(data / "db.sqlite3")) as database:
        rows = database.execute("SELECT state, result FROM workers_job WHERE kind = 'import' ORDER BY id").fetchall()
    return [(state, json.loads(result)) for state, result in rows]


def last_import(data):
    """The result of the newest import, once it has succeeded."""
    deadline = time.monotonic() + START_WITHIN_S
    while (found := imports(data)[-1])[0] != "succeeded":
        assert found[0] in ("queued", "running"), found
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    return found[1]


@pytest.mark.slow
def test_the_demo_builds_publishes_serves_ends_goes_on_and_imports_a_download_once(tmp_path):
    data, port = tmp_path / "var", free_port()
    with demo(data, port, "--patients", "3") as (process, printed):
        text = printed.read_text()
        assert "Phantom hospital" in text, "a progress bar for the long step"
        assert "teaches no body-part regressor" in text, "no job that can only fail"
        assert f"http://127.0.0.1:{port}/" in text
        for account in ("researcher", "curator", "admin"):
            assert account in text.splitlines()[-3:][("researcher", "curator", "admin").index(account)]
        releases = json.loads(get(port, "/api/v1/releases/"))["results"]
        assert [release["name"] for release in releases] == ["demo-1.0"]
        assert releases[0]["counts"]["train"]["lesions"] > 0
        assert "demo-1.0" in get(port, "/releases/")
        assert runs(port) == [("demo-1.0", "tiny")]
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
    folder = download(tmp_path / "download")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def lesions():
        return json.loads(get(port, "/api/v1/lesions/?release=deeplesion"))["results"]

    with demo(data, port, "--patients", "3", "--deeplesion", str(folder)) as (_, printed):
        assert "Phantom hospital" not in printed.read_text(), "what is there is used again"
        assert "demo-1.0" in get(port, "/releases/")
        assert runs(port) == [("demo-1.0", "tiny")], "a second start trains nothing"
        assert len(imports(data)) == 1, "the worker has it, nobody waits for it"
        assert "rows read" not in printed.read_text()
        found = last_import(data)
        assert (found["rows"], found["release"]) == (3, "deeplesion")
        assert found["added"] == {"patients": 3, "studies": 3, "series": 3, "slices": 6, "lesions": 3}
        answered(port, "/api/v1/releases/", lambda found: len(found["results"]) == 2)
        release = answered(port, "/api/v1/releases/deeplesion/", lambda found: found["manifest_sha256"])
        assert [counts["slices"] for counts in release["counts"].values()] == [2, 2, 2]
        assert release["leaks"].endswith("the pixels of 6 slices were compared.")
        first = lesions()
        assert len(first) == 3
        manifest = json.loads(get(port, "/releases/deeplesion/manifest.json"))
        listed = {file["path"]: file["sha256"] for file in manifest["files"]}
        for path, content in before.items():
            if path.suffix == ".png":
                assert listed[path.relative_to(folder).as_posix()] == sha256(content).hexdigest()
    with demo(data, port, "--deeplesion", str(folder)):
        found = last_import(data)
        assert (found["lesions_known"], found["release"]) == (3, "")
        assert lesions() == first
        assert len(json.loads(get(port, "/api/v1/releases/"))["results"]) == 2
    assert_nothing_left(data)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def odd_table(folder):
    folder.mkdir()
    (folder / "DL_info.csv").write_text("name,value\n1,2\n")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda folder: None, "is not a folder"),
        (lambda folder: folder.mkdir(), "holds no DL_info.csv"),
        (lambda folder: folder.write_text(""), "is not a folder"),
        (odd_table, "/DL_info.csv is not a DL_info.csv: no column File_name, Patient_index, Study_index and 15 more"),
    ],
)
def test_a_path_that_is_no_download_is_told_before_anything_is_done(tmp_path, make, sentence):
    folder = tmp_path / "download"
    make(folder)
    environment = {**os.environ, "DATA_DIR": str(tmp_path / "var"), "PORT": str(free_port())}
    ended = subprocess.run([sys.executable, "manage.py", "demo", "--deeplesion", str(folder)], cwd=settings.BASE_DIR,
                           env=environment, capture_output=True, text=True, check=False)  # fmt: skip
    assert ended.returncode == 1
    expected = f"{folder}{sentence}" if sentence.startswith("/") else f"DEEPLESION={folder} {sentence}"
    assert ended.stderr.strip() == f"CommandError: {expected}"
    assert not (tmp_path / "var" / "phantom").exists()


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
