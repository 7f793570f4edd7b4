"""Fixtures for all tests: the servers that the system talks to, as private instances.

A test whose server is not installed skips, and the run ends with one line on what to install;
with REQUIRE_SERVICES=1 in the environment it fails.
"""

import itertools
import os
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import pytest
from django.conf import settings
from django.db import connection, transaction
from django.db.backends.base.operations import BaseDatabaseOperations
from django.test import override_settings
from filelock import FileLock
from playwright.sync_api import Browser, Page

from datasets import frozen
from deeplesion_site.accounts import append_only
from tests.peers.chromium import private_chromium
from tests.peers.needed import closing_line, named_in, needed
from tests.peers.orthanc import Orthanc, private_orthanc
from tests.peers.postgres import Postgres, private_postgres
from tests.peers.redis import private_redis
from tests.peers.s3 import S3, private_s3
from workers import rules as job_rules

# On a busy machine an example may take long; that is no failure of what it tests.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")

_NEED_A_SERVER = {"postgres", "redis_url", "orthanc", "browser"}


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Keep SQLite's test database in a file, as in earnest: in memory it knows neither WAL nor a second connection."""
    database = settings.DATABASES["default"]
    if database["ENGINE"] == "django.db.backends.sqlite3":
        database["TEST"]["NAME"] = str(Path(os.environ["DATA_DIR"]) / "test.sqlite3")


@pytest.fixture(scope="session", autouse=True)
def _flush_past_the_triggers() -> Iterator[None]:
    """Let the flush after a transactional test delete what a trigger keeps from being deleted."""
    operations = type(connection.ops)
    flush = operations.execute_sql_flush

    def past(self: BaseDatabaseOperations, statements: list[str]) -> None:
        with transaction.atomic():
            for triggers in (frozen, append_only, job_rules):
                triggers.drop(connection)
            flush(self, statements)
            for triggers in (frozen, append_only, job_rules):
                triggers.create(connection)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operations, "execute_sql_flush", past)
        yield


@pytest.fixture(scope="session", autouse=True)
def _passwords_are_hashed_quickly() -> Iterator[None]:
    """Spare the tests what keeps guessers of passwords waiting."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Give a PostgreSQL server, for a test that needs one whatever database the suite runs on."""
    with needed(private_postgres()) as server:
        yield server


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """Give the URL of a Redis server."""
    with needed(private_redis()) as server:
        yield server.url


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    """Give an S3 server; tests share its bucket, so each takes a prefix of its own."""
    with private_s3() as server:
        yield server


@pytest.fixture(scope="session")
def orthanc() -> Iterator[Orthanc]:
    """Give a PACS; tests share it, so each looks only for what it stored itself."""
    with needed(private_orthanc()) as server:
        yield server


@pytest.fixture(scope="session")
def phantom_hospital(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a phantom hospital of six patients, made once for all test processes: `dicom/` and `truth.json`."""
    # The phantom takes long to load, and most runs need none.
    from datasets.phantom.hospital import write_hospital

    shared = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent
    folder = shared / "phantom-hospital"
    with FileLock(f"{folder}.lock"):
        if not folder.is_dir():
            write_hospital(folder, patients=6, seed=7, size=192)
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give a browser for the tests of one module.

    While it is open, Playwright's event loop counts as running in this thread, and Django's ORM refuses to work in
    what it takes for a coroutine. No coroutine touches the database here, so the check is off for as long, and no
    longer: that is why the browser ends with the module.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        with needed(private_chromium()) as chromium:
            yield chromium


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Give an empty page of a fresh browser profile (no cookies, nothing cached)."""
    with browser.new_context() as context:
        yield context.new_page()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None]:
    """Mark what needs a server, so that `-m 'not services'` leaves it out; share out what takes long."""
    for item in items:
        if not _NEED_A_SERVER.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker("services")
    yield
    items[:] = _shared_out(items, getattr(config, "workerinput", {"workercount": 1})["workercount"])


def _shared_out(items: list[pytest.Item], processes: int) -> list[pytest.Item]:
    """Order tests so that each process begins with modules that take long, and none ends alone with one.

    Each is given an equal share, in one piece, and takes from the others when it has done its own.
    """
    long: dict[Path, list[pytest.Item]] = {item.path: [] for item in items if item.get_closest_marker("slow")}
    short = []
    for item in items:
        long.get(item.path, short).append(item)
    shares: list[list[pytest.Item]] = [[] for _ in range(processes)]
    for number, path in enumerate(sorted(long)):
        shares[number % processes] += long[path]
    for share in shares:
        missing = max(0, len(items) // processes - len(share))
        share += short[:missing]
        del short[:missing]
    return [*itertools.chain(*shares), *short]


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """End the run with one line on the servers that were missed, below pytest's own last line."""
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is None:
        return
    outcomes = ("skipped", "error", "failed")
    packages = named_in([report for outcome in outcomes for report in terminal.getreports(outcome)])
    if packages:
        terminal.write_line(closing_line(packages))
