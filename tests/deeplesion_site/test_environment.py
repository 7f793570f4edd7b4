"""A setting that makes no sense ends the program in one sentence that names it."""

import os
import socket
import subprocess
import sys

import pytest
from django.conf import settings

from deeplesion_site import environment
from tests.peers.process import free_port


def check(*arguments, **values):
    return subprocess.run(
        [sys.executable, "manage.py", "check", *arguments],
        cwd=settings.BASE_DIR,
        env={**os.environ, **values},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "abc"),
        ("PORT", "99999"),
        ("PUBLIC_READ", "maybe"),
        ("TRUSTED_PROXIES", "-1"),
        ("TRUSTED_PROXIES", "10.0.0.1"),
        ("DEBUG", "2"),
        ("DATABASE_URL", "foo"),
        ("DATA_DIR", "/dev/null/var"),
        ("DATA_DIR", "/proc"),
        ("CELERY_BROKER_URL", "foo"),
        ("DATA_USE_AGREEMENT", "/nope"),
        ("CSRF_TRUSTED_ORIGINS", "lesions.example.org"),
        ("S3_ENDPOINT", "s3.example.org"),
        ("S3_ENDPOINT", "https://user:password@s3.example.org"),
        ("S3_PREFIX", "a/../b"),
        ("DICOMWEB_HOSTS", "user:password@pacs.example.org"),
        ("DICOMWEB_HOSTS", "pacs.example.org/dicom-web"),
        ("DICOMWEB_HOSTS", "pacs.example.org:99999"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(name, value):
    ended = check(**{name: value})
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"The setting {name} must be ")
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", ["migrate", "serve", "verify"])
@pytest.mark.parametrize("url", ["postgres://u@127.0.0.1:1/x", "sqlite:////nope/x.sqlite3"])
def test_a_database_that_is_not_there_is_one_sentence(command, url, tmp_path):
    ended = subprocess.run(
        [sys.executable, "manage.py", command],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DATABASE_URL": url, "DATA_DIR": str(tmp_path), "PORT": str(free_port())},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 1
    assert len(ended.stderr.strip().splitlines()) == 1, ended.stderr
    assert "database" in ended.stderr
    assert "good" not in ended.stdout


def test_a_database_that_accepts_and_never_answers_is_given_up(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgres://u@127.0.0.1:{silent.getsockname()[1]}/x?connect_timeout=2"
        ended = subprocess.run(
            [sys.executable, "manage.py", "migrate"],
            cwd=settings.BASE_DIR,
            env={**os.environ, "DATABASE_URL": url, "DATA_DIR": str(tmp_path)},
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr.startswith("The database cannot be used: connection timeout expired"), ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_postgresql_is_waited_for_as_long_as_its_address_says_and_else_not_for_ever(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://u@db/x?tcp_user_timeout=5000&sslmode=require")
    options = environment.database("DATABASE_URL", "")["OPTIONS"]
    assert (options["tcp_user_timeout"], options["sslmode"], options["connect_timeout"]) == (5000, "require", 10)
    assert options["keepalives_idle"] + options["keepalives_interval"] * options["keepalives_count"] == 30
    monkeypatch.setenv("DATABASE_URL", "sqlite:////x.sqlite3")
    assert not environment.database("DATABASE_URL", "").get("OPTIONS")


def test_empty_values_stand_for_the_defaults(tmp_path):
    assert (
        check(
            PORT="",
            PUBLIC_READ="",
            DEBUG="",
            DATABASE_URL="",
            ALLOWED_HOSTS="",
            CELERY_BROKER_URL="",
            DATA_USE_AGREEMENT="",
            DATA_DIR=str(tmp_path),
        ).returncode
        == 0
    )


PRODUCTION = {
    "PRODUCTION": "1",
    "SECRET_KEY": "0123456789abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "ALLOWED_HOSTS": "lesions.example.org",
    "DATABASE_URL": "postgres://user:secret@127.0.0.1:1/lesions",
    "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
    "IDENTITY_KEY_FILE": __file__,
    "TRUSTED_PROXIES": "1",
}


@pytest.mark.parametrize("name", [name for name in PRODUCTION if name not in ("PRODUCTION", "TRUSTED_PROXIES")])
def test_production_does_not_start_without_its_secrets(name, tmp_path):
    ended = check(**{**PRODUCTION, "DATA_DIR": str(tmp_path), name: ""})
    assert ended.returncode == 1
    assert ended.stderr == f"PRODUCTION=1 needs {name} in the environment; see docs/settings.md.\n"
    assert not any(tmp_path.glob("secret_key"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEBUG", "1"),
        ("SECRET_KEY", "x"),
        ("SECRET_KEY", "abab" * 20),
        ("ALLOWED_HOSTS", "*"),
        ("ALLOWED_HOSTS", "lesions.example.org, *"),
        ("CELERY_BROKER_URL", "filesystem://localhost"),
        ("IDENTITY_KEY_FILE", "/nope/identity_key"),
    ],
)
def test_production_refuses_what_is_unfit_by_name(name, value, tmp_path):
    ended = check(**{**PRODUCTION, "DATA_DIR": str(tmp_path), name: value})
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"With PRODUCTION=1, {name} must be ")
    assert len(ended.stderr.splitlines()) == 1
    assert value not in ended.stderr or value in "x*1"


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_a_bucket_is_not_used_without_credentials(name):
    ended = check(**{"S3_BUCKET": "lesions", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", name: ""})
    assert ended.returncode == 1
    assert ended.stderr == f"S3_BUCKET needs {name} in the environment; see docs/settings.md.\n"


def test_production_passes_the_deployment_checks(tmp_path):
    ended = check("--deploy", "--fail-level", "WARNING", **PRODUCTION, DATA_DIR=str(tmp_path))
    assert ended.returncode == 0, ended.stderr
    assert "no issues" in ended.stdout


WRITE_AND_LOOK = """
import django, os
django.setup()
from django.db import connection
connection.cursor().execute("CREATE TABLE IF NOT EXISTS x (y)")
found = (each for each in os.scandir(os.environ["DATA_DIR"]) if each.name.startswith("db.sqlite3"))
print(*sorted(f"{each.name} {each.stat().st_mode & 0o777:o}" for each in found), sep="\\n")
"""


def test_a_new_database_is_for_its_owner_alone_and_rights_that_somebody_gave_stay(tmp_path):
    kept = {key: value for key, value in os.environ.items() if key != "DATABASE_URL"}
    env = {**kept, "DATA_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "deeplesion_site.settings"}

    def found():
        command = [sys.executable, "-c", WRITE_AND_LOOK]
        ended = subprocess.run(command, env=env, capture_output=True, text=True, umask=0o022, cwd=settings.BASE_DIR)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.split("\n")[:-1]

    assert found() == ["db.sqlite3 600", "db.sqlite3-shm 600", "db.sqlite3-wal 600"]
    (tmp_path / "db.sqlite3").chmod(0o640)
    assert found()[0] == "db.sqlite3 640"


def test_what_starts_and_is_unfit_for_many_is_warned_of_by_name(tmp_path):
    url = f"sqlite:///{tmp_path / 'db.sqlite3'}"
    ended = check("--deploy", **{**PRODUCTION, "DATABASE_URL": url, "TRUSTED_PROXIES": ""}, DATA_DIR=str(tmp_path))
    assert ended.returncode == 0, ended.stderr
    assert "(deeplesion.W001) DATABASE_URL names SQLite" in ended.stderr
    assert "(deeplesion.W002) TRUSTED_PROXIES is 0" in ended.stderr
    assert ended.stderr.count("?: ") == 2
