"""What a test run does about the settings' environment, PostgreSQL and servers that are not installed."""

import os
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from tests.peers.needed import need

ROOT = Path(__file__).parent.parent

CONFIGURATION = """
[pytest]
addopts = -p tests.environment --strict-markers
markers = services: needs a server
"""
SETTINGS = """
import environ
DATABASES = {"default": environ.Env().db("DATABASE_URL", default="sqlite:///never-written.sqlite3")}
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth"]
SECRET_KEY = "for tests"
"""
BARE_MACHINE = """
from tests.peers.packages import FINDERS
FINDERS.update(dict.fromkeys(FINDERS, lambda: None))
"""
TESTS = """
import os, pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection

def test_arithmetic():
    assert 1 + 1 == 2

@pytest.mark.django_db
@pytest.mark.parametrize("name", ["first", "second", "third", "fourth"])
def test_users(name):
    User.objects.create_user(name)
    assert User.objects.count() == 1
    database = connection.settings_dict["NAME"]
    print(f"on {connection.vendor} in {database}, data in {os.environ['DATA_DIR']}")

def test_users_through_a_fixture(db):
    assert not User.objects.exists()
"""
IN_A_BROWSER = """
import pytest

@pytest.fixture
def page(): pass

def test_page(page, db): pass
"""


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Give a small project in a folder of its own, whose test runs use our plugin and our fixtures."""
    for variable in [name for name in os.environ if name.startswith("PYTEST_XDIST_")]:
        monkeypatch.delenv(variable)  # the run inside is no worker of this one
    for variable in ("DATABASE_URL", "REQUIRE_SERVICES"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PYTHONPATH", f"{pytester.path}{os.pathsep}{ROOT}")
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "small_settings")
    pytester.makepyfile(small_settings=SETTINGS)
    pytester.makeini(CONFIGURATION)
    pytester.makeconftest("from tests.conftest import *")
    return pytester


@pytest.fixture
def nothing_installed(inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the run inside one on a machine without any of the servers."""
    inner.makepyfile(bare_machine=BARE_MACHINE)
    monkeypatch.setenv("PYTEST_PLUGINS", "bare_machine")


def test_data_goes_to_a_temporary_folder() -> None:
    assert Path(settings.DATA_DIR).name.startswith(("deeplesion-tests-", "gw"))
    assert not Path(settings.DATA_DIR).is_relative_to(ROOT)


@pytest.mark.django_db
def test_sqlite_is_tested_with_its_write_ahead_log() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("on PostgreSQL")
    with connection.cursor() as cursor:
        assert cursor.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert Path(connection.settings_dict["NAME"]).is_relative_to(settings.DATA_DIR)


@pytest.mark.usefixtures("nothing_installed")
class TestMissingServices:
    """On a machine where no server is installed."""

    TESTS = """
    def test_queue(redis_url): pass
    def test_queue_again(redis_url): pass
    def test_pacs(orthanc): pass
    def test_pages(page): pass
    def test_arithmetic(): assert 1 + 1 == 2
    """
    LAST_LINE = "chromium, orthanc, redis-server. `make services` as root installs them."

    @pytest.mark.parametrize("workers", ["0", "2"])
    def test_skip_and_are_named_in_one_last_line(self, inner: pytest.Pytester, workers: str) -> None:
        inner.makepyfile(self.TESTS)
        result = inner.runpytest_subprocess("-n", workers)
        result.assert_outcomes(passed=1, skipped=4)
        assert result.ret == pytest.ExitCode.OK
        assert result.outlines[-1] == f"Tests were skipped, not installed: {self.LAST_LINE}"

    def test_fail_where_they_are_required(self, inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("REQUIRE_SERVICES", "1")
        inner.makepyfile(self.TESTS)
        result = inner.runpytest_subprocess()
        result.assert_outcomes(passed=1, errors=4)
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        assert result.outlines[-1] == f"Tests failed, not installed: {self.LAST_LINE}"

    @pytest.mark.parametrize(("required", "status"), [("0", pytest.ExitCode.OK), ("1", pytest.ExitCode.TESTS_FAILED)])
    def test_run_on_postgres_ends_before_its_first_test(
        self, inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, required: str, status: pytest.ExitCode
    ) -> None:
        monkeypatch.setenv("REQUIRE_SERVICES", required)
        inner.makepyfile(TESTS)
        result = inner.runpytest_subprocess("--postgres")
        assert result.ret == status
        assert len(result.outlines) == 1
        assert "not installed: postgresql." in result.outlines[0]


def test_services_can_be_left_out_by_their_marker(inner: pytest.Pytester) -> None:
    inner.makepyfile("def test_queue(redis_url): pass\ndef test_arithmetic(): pass")
    inner.runpytest_subprocess("-m", "not services").assert_outcomes(passed=1, deselected=1)


def test_run_is_blind_to_a_deployment(inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://nobody@127.0.0.1:1/precious")
    inner.makepyfile(TESTS)
    result = inner.runpytest_subprocess("-rP")
    result.assert_outcomes(passed=6)
    result.stdout.fnmatch_lines(["on sqlite in */test.sqlite3*"])
    assert not (inner.path / "never-written.sqlite3").exists()


@pytest.mark.services
@pytest.mark.parametrize("workers", [0, 2])
def test_run_on_postgres_takes_what_touches_the_database(inner: pytest.Pytester, workers: int) -> None:
    need("postgresql")
    inner.makepyfile(TESTS)
    result = inner.runpytest_subprocess("--postgres", "-rP", "-n", str(workers))
    result.assert_outcomes(passed=5, deselected=0 if workers else 1)
    lines = {line for line in result.outlines if line.startswith("on ")}
    assert len(lines) == max(1, workers), "each worker has a database and a folder of its own"
    assert all(line.startswith("on postgresql in test_postgres") for line in lines)
    for line in lines:
        assert not Path(line.rpartition(" ")[2]).exists()


@pytest.mark.services
def test_run_on_postgres_leaves_browsers_out_and_accepts_that_nothing_is_left(inner: pytest.Pytester) -> None:
    need("postgresql")
    inner.makepyfile(test_arithmetic="def test_arithmetic(): pass", test_browser=IN_A_BROWSER)
    assert inner.runpytest_subprocess("--postgres").ret == pytest.ExitCode.OK
