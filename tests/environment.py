"""Where the tests write and which database they use: a plugin that pytest loads before Django reads its settings.

Settings come from the environment, so the environment is prepared here: data goes to a temporary folder, and the
database, broker and keys of a deployment on this machine are out of sight. With `--postgres` a private PostgreSQL
server takes SQLite's place, and only the tests that touch the database run, without those in a browser. Torch computes
in one thread: test processes share the processors, and more threads would spend them on waiting for each other.

`conftest.py` would be too late: pytest-django reads the settings before any of them is loaded. Worker processes of
pytest-xdist inherit what the first process prepared; each adds a folder of its own, and pytest-django gives each a
test database of its own.
"""

import argparse
import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.peers.needed import closing_line, required
from tests.peers.packages import NotInstalled
from tests.peers.postgres import private_postgres
from tests.peers.process import temporary_folder

_DEPLOYMENT = (
    "ALLOWED_HOSTS",
    "CELERY_BROKER_URL",
    "DATABASE_URL",
    "DEBUG",
    "DICOMWEB_HOSTS",
    "DICOMWEB_PASSWORD",
    "DICOMWEB_TOKEN",
    "DIMSE_TLS_CA",
    "DIMSE_TLS_CERTIFICATE",
    "DIMSE_TLS_KEY",
    "IDENTITY_KEY_FILE",
    "JOB_LEASE_SECONDS",
    "PORT",
    "PUBLIC_READ",
    "SECRET_KEY",
    "SESSION_COOKIE_NAME",
    "TAKE_DERIVED_IMAGES",
    "TRUSTED_PROXIES",
)
_DATABASE_FIXTURES = {"db", "transactional_db", "live_server"}
_BROWSER_FIXTURES = {"browser", "page"}
_not_installed = pytest.StashKey[NotInstalled]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare `--postgres`."""
    parser.getgroup("django").addoption(
        "--postgres", action="store_true", help="run the tests that touch the database, on a private PostgreSQL"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Prepare the environment that the settings read, and clean up when pytest ends."""
    options: argparse.Namespace = early_config.known_args_namespace
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker:
        _write_to(Path(os.environ["DATA_DIR"]) / worker)
        return
    cleanup = ExitStack()
    early_config.add_cleanup(cleanup.close)
    for variable in _DEPLOYMENT:
        os.environ.pop(variable, None)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    _write_to(cleanup.enter_context(temporary_folder("tests")))
    if options.postgres:
        try:
            os.environ["DATABASE_URL"] = cleanup.enter_context(private_postgres()).url
        except NotInstalled as reason:
            early_config.stash[_not_installed] = reason


def _write_to(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    os.environ["DATA_DIR"] = str(folder)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Run no test where PostgreSQL was asked for and is not there."""
    reason = config.stash.get(_not_installed, None)
    if reason is None:
        return None
    print(closing_line({reason.package}))
    return pytest.ExitCode.TESTS_FAILED if required() else pytest.ExitCode.OK


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, with `--postgres`, the tests that SQLite has already answered for."""
    if not config.option.postgres:
        return
    kept = [item for item in items if _touches_database(item)]
    config.hook.pytest_deselected(items=[item for item in items if not _touches_database(item)])
    items[:] = kept


def _touches_database(item: pytest.Item) -> bool:
    """Whether its SQL is worth another run; what is seen in a browser was rendered by the tests without one, too."""
    fixtures = getattr(item, "fixturenames", ())
    if not _BROWSER_FIXTURES.isdisjoint(fixtures):
        return False
    return item.get_closest_marker("django_db") is not None or not _DATABASE_FIXTURES.isdisjoint(fixtures)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Accept, with `--postgres`, a selection of tests in which none touches the database."""
    if session.config.option.postgres and exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        session.exitstatus = pytest.ExitCode.OK
