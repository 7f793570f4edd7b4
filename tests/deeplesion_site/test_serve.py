"""`make serve`: the site and its workers on one's own data, with a first administrator."""

import http.client
import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode

import pytest
from django.conf import settings

from tests.deeplesion_site.test_demo import assert_nothing_left, demo, get
from tests.peers.process import free_port


def signed_in(port: int, name: str, password: str) -> bool:
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    address = f"http://127.0.0.1:{port}/login/"
    form = browser.open(address, timeout=20).read().decode()
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
    assert found
    given = urlencode({"csrfmiddlewaretoken": found[1], "username": name, "password": password})
    return "Sign out" in browser.open(address, given.encode(), timeout=20).read().decode()


def workers(data: Path, wanted: int) -> list[tuple[list[str], int]]:
    """Queues and processes of each worker, once there are so many."""
    deadline = time.monotonic() + 60
    while True:
        with closing(sqlite3.connect(data / "db.sqlite3")) as database:
            rows = database.execute("SELECT queues, processes FROM workers_worker").fetchall()
        if len(rows) == wanted:
            return sorted((json.loads(queues), processes) for queues, processes in rows)
        assert time.monotonic() < deadline, rows
        time.sleep(0.2)


@pytest.mark.slow
def test_an_empty_folder_is_served_with_an_administrator_who_stays(tmp_path: Path) -> None:
    data, port = tmp_path / "var", free_port()
    with demo(data, port, command="serve", until="shown once") as (_, printed):
        text = printed.read_text()
        assert f"http://127.0.0.1:{port}/" in text
        assert str(data) in text
        found = re.search(r"^  admin  (\S+)$", text, re.MULTILINE)
        assert found
        assert "Nothing is published yet" in get(port, "/")
        assert signed_in(port, "admin", found[1])
        assert workers(data, 3) == [(["cpu"], 1), (["gpu"], 1), (["io"], 1)], (
            "long work in one queue holds up no other"
        )
    assert_nothing_left(data)
    assert printed.read_text().endswith("at your account.\n\nEnded.\n"), "the end is told in one line"
    with demo(data, port, command="serve", until=str(data)) as (_, printed):
        assert "shown once" not in printed.read_text(), "there is an administrator already"
        assert signed_in(port, "admin", found[1])
    assert_nothing_left(data)


def test_a_port_in_use_names_the_command(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        environment = {**os.environ, "DATA_DIR": str(tmp_path / "var"), "PORT": str(port)}
        ended = subprocess.run([sys.executable, "manage.py", "serve"], cwd=settings.BASE_DIR, env=environment,
                               capture_output=True, text=True, check=False)  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr.strip().endswith(f"choose another one: make serve PORT={port + 1}")


@pytest.mark.slow
def test_a_redirect_to_https_is_an_answer(tmp_path: Path, redis_url: str) -> None:
    data, port, key = tmp_path / "var", free_port(), tmp_path / "identity_key"
    key.touch(mode=0o600)
    told = {
        "PRODUCTION": "1",
        "SECRET_KEY": "0123456789" * 6,
        "ALLOWED_HOSTS": "127.0.0.1",
        "DATABASE_URL": f"sqlite:///{data}/db.sqlite3",
        "CELERY_BROKER_URL": redis_url,
        "IDENTITY_KEY_FILE": str(key),
    }
    with demo(data, port, command="serve", until="shown once", more=told):
        with pytest.raises(urllib.error.URLError):
            get(port, "/")  # it is sent on to https, where there is no proxy here
        site = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        site.request("GET", "/login/", headers={"X-Forwarded-Proto": "https"})
        assert site.getresponse().status == 200
        site.close()
