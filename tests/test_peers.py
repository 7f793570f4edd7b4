"""The private servers answer, and leave nothing behind."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import psycopg
import pytest
import redis
from django.contrib.auth import get_user_model
from playwright.sync_api import Error, Page

from datasets.phantom.orthanc import NotAnswered
from tests.peers.needed import need, needed
from tests.peers.orthanc import Orthanc, private_orthanc
from tests.peers.postgres import Postgres, private_postgres
from tests.peers.process import PeerFailed, running, temporary_folder, wait_until
from tests.peers.redis import Redis, private_redis

ROOT = Path(__file__).parent.parent
GONE_WITHIN_S = 10.0


@pytest.fixture
def home_page() -> Iterator[str]:
    """Serve one page on loopback and give its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<title>Lesions</title><script>document.title += ' 1'</script>")

        def log_message(self, *arguments: object) -> None:
            """Keep the test's output free of one line per request."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def open_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make a folder that every user may enter the place of all temporary files."""
    with temporary_folder("test") as folder:
        folder.chmod(0o755)
        monkeypatch.setenv("TMPDIR", str(folder))
        monkeypatch.setattr(tempfile, "tempdir", None)
        yield folder


def processes_in(folder: Path) -> set[int]:
    """Return the processes that work in a folder, or name it in their command line."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            traces = os.readlink(process / "cwd") + (process / "cmdline").read_text(errors="replace")
        except OSError:  # ended meanwhile, or another user's
            continue
        if str(folder) in traces:
            found.add(int(process.name))
    return found


def is_gone(pid: int) -> bool:
    """Whether a process has ended (one that its parent has not yet asked after counts as ended)."""
    try:
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


def script(*lines: str) -> subprocess.Popen[str]:
    """Start a Python process of its own that knows the peers and runs some lines."""
    imports = "import asyncio; from tests.peers.chromium import *; from tests.peers.redis import *"
    command = [sys.executable, "-c", "\n".join([imports, *lines])]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def first_line(process: subprocess.Popen[str]) -> str:
    """Wait for the first line that a script prints."""
    assert process.stdout is not None
    return process.stdout.readline()


def test_postgres_answers(postgres: Postgres) -> None:
    with psycopg.connect(postgres.url) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
        assert connection.execute("show listen_addresses").fetchone() == ("127.0.0.1",)


def test_redis_answers(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.ping()


def test_orthanc_answers_on_rest_and_dicomweb(orthanc: Orthanc) -> None:
    assert json.loads(orthanc.request("/system"))["DicomAet"] == orthanc.aet
    assert isinstance(json.loads(orthanc.request("/dicom-web/studies")), list)


@pytest.mark.parametrize("path", ["/system", "/dicom-web/studies"])
def test_orthanc_refuses_a_wrong_password(orthanc: Orthanc, path: str) -> None:
    stranger = Orthanc(**{**vars(orthanc), "password": "guessed"})
    with pytest.raises(NotAnswered, match="401"):
        stranger.request(path)


def test_browser_opens_a_page_and_runs_its_script(page: Page, home_page: str) -> None:
    page.goto(home_page)
    assert page.title() == "Lesions 1"


@pytest.mark.parametrize("elsewhere", ["example.org", "127.0.0.2"])
def test_browser_reaches_no_other_address(page: Page, home_page: str, elsewhere: str) -> None:
    # Without the browser's rule the second would be a refused connection, on a machine without a network too.
    with pytest.raises(Error, match="ERR_NAME_NOT_RESOLVED"):
        page.goto(home_page.replace("127.0.0.1", elsewhere))


@pytest.mark.django_db
def test_database_is_usable_beside_the_browser(page: Page) -> None:
    page.set_content("<p>open</p>")
    get_user_model().objects.create_user("reader")
    assert get_user_model().objects.count() == 1


@pytest.mark.services
@pytest.mark.parametrize("start", [private_postgres, private_redis, private_orthanc])
def test_stopped_server_leaves_no_process_and_no_file(
    start: Callable[[], AbstractContextManager[Postgres | Redis | Orthanc]], open_folder: Path
) -> None:
    with needed(start()) as server:
        assert server.pid in processes_in(open_folder)
        assert server.folder.is_dir()
    assert is_gone(server.pid)
    assert wait_until(lambda: not processes_in(open_folder), GONE_WITHIN_S)
    assert not list(open_folder.iterdir())


@pytest.mark.services
def test_closed_browser_leaves_no_process_no_file_and_no_event_loop(open_folder: Path) -> None:
    need("chromium")
    browser = script(
        "with private_chromium(): print('open', flush=True); input()",
        "print(asyncio._get_running_loop())",
    )
    with browser:
        assert first_line(browser) == "open\n"
        assert processes_in(open_folder)
        output, _ = browser.communicate("close\n", timeout=GONE_WITHIN_S)
    assert output == "None\n"
    assert wait_until(lambda: not processes_in(open_folder), GONE_WITHIN_S)
    assert not list(open_folder.iterdir())


@pytest.mark.services
def test_server_ends_with_a_run_that_was_killed(open_folder: Path) -> None:
    need("redis-server")
    with script("with private_redis() as server: print(server.pid, flush=True); input()") as run:
        pid = int(first_line(run))
        assert not is_gone(pid)
        run.kill()
    assert wait_until(lambda: is_gone(pid), GONE_WITHIN_S)


def test_server_that_does_not_come_up_is_reported_with_its_log(tmp_path: Path) -> None:
    with (
        pytest.raises(PeerFailed, match=r"sh did not come up.*\n.*address already in use"),
        running(Path("/bin/sh"), ["-c", "echo address already in use; exit 1"], tmp_path, ready=lambda: False),
    ):
        pytest.fail("it was taken for running")
