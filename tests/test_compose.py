"""compose.yaml against the settings and the documentation that it stands on."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "compose.yaml").read_text()
SERVICES = yaml.safe_load(TEXT)["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "deeplesion"}


def test_every_variable_is_a_documented_setting() -> None:
    settings = (ROOT / "docs" / "settings.md").read_text()
    names = {name for service in OURS.values() for name in service["environment"]}
    assert {name for name in names if f"`{name}`" not in settings} == set()


def test_what_has_no_default_is_named_where_the_env_file_is_written() -> None:
    deploy = (ROOT / "docs" / "deploy.md").read_text()
    needed = set(re.findall(r"\$\{(\w+):\?", TEXT))
    assert needed == {"SECRET_KEY", "ALLOWED_HOSTS", "POSTGRES_PASSWORD"}
    assert {name for name in needed if f"{name}=" not in deploy} == set()


def test_nothing_listens_beyond_this_machine() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert len(ports) == 3
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_only_the_worker_that_harvests_is_told_what_the_pacs_is_logged_in_to_with() -> None:
    told = {
        name: {"DICOMWEB_PASSWORD", "DICOMWEB_TOKEN"} & set(service["environment"]) for name, service in OURS.items()
    }
    assert {name: names for name, names in told.items() if names} == {
        "worker-io": {"DICOMWEB_PASSWORD", "DICOMWEB_TOKEN"},
        "pacs-password": {"DICOMWEB_PASSWORD"},
    }
    others = set(SERVICES["web"]["environment"])
    assert others < set(SERVICES["worker-io"]["environment"]), "it has all that the others have"


@pytest.mark.parametrize("password", ["", "s3cret"])
def test_orthanc_starts_with_a_password_or_not_at_all(password: str) -> None:
    guard = SERVICES["pacs-password"]
    assert guard["profiles"] == SERVICES["orthanc"]["profiles"]
    assert SERVICES["orthanc"]["depends_on"] == {"pacs-password": {"condition": "service_completed_successfully"}}
    command = shlex.split(guard["command"].replace("$$", "$"))
    ended = subprocess.run(
        command, env={"PATH": os.environ["PATH"], "DICOMWEB_PASSWORD": password}, capture_output=True, check=False
    )
    assert (ended.returncode, ended.stderr) == ((0, b"") if password else (1, b"put DICOMWEB_PASSWORD into .env\n"))


def test_every_queue_has_a_worker_and_the_broker_keeps_its_messages() -> None:
    queues = re.findall(r"--queues=(\w+)", TEXT)
    assert sorted(queues) == ["cpu", "gpu", "io"]
    assert "noeviction" in SERVICES["redis"]["command"]


def test_what_the_image_installs_is_pinned_to_the_last_package() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert "COPY requirements.txt constraints.txt ./" in dockerfile
    assert "-r requirements.txt -c constraints.txt" in dockerfile


def test_an_image_holds_the_program_and_no_secret(tmp_path: Path) -> None:
    """What the documentation lays beside the program, the .env file and the key, stays out of image and history."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    taken = [line.removeprefix("!") for line in lines if line.startswith("!")]
    assert [line for line in lines if not line.startswith("!")] == ["*", "**/__pycache__"]
    for name in taken:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path)
    command = [sys.executable, "manage.py", "check"]
    environment = {**os.environ, "DATA_DIR": str(tmp_path / "data")}
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    deploy = (ROOT / "docs" / "deploy.md").read_text()
    written = re.findall(r"> (\S+)$|cat > (\S+)", deploy, re.MULTILINE)
    beside = {name for names in written for name in names if name}
    assert beside == {"identity_key", ".env"}
    assert not beside & set(taken)
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {f"/{name}" for name in beside} < set(ignored)


def test_the_documented_restore_meets_an_empty_database() -> None:
    deploy = (ROOT / "docs" / "deploy.md").read_text()
    commands = [line for line in deploy.splitlines() if line.startswith("docker compose")]
    restore = next(number for number, line in enumerate(commands) if "manage.py restore" in line)
    assert "--no-deps" in commands[restore], "web waits for migrate, which would fill it"
    assert "--wait db" in commands[restore - 1]
    assert "--volume /backup:/backup" in commands[restore]


def test_beat_runs_once_and_slices_may_lie_in_a_bucket() -> None:
    beats = [name for name, service in OURS.items() if " beat" in service["command"]]
    assert beats == ["beat"]
    assert "replicas" not in str(SERVICES["beat"])
    environment = SERVICES["worker-io"]["environment"]
    assert {"S3_BUCKET", "S3_ENDPOINT", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} <= set(environment)


def test_pg_dump_in_the_image_is_as_new_as_the_server() -> None:
    assert "FROM python:3.11-slim-bookworm" in (ROOT / "Dockerfile").read_text()
    assert SERVICES["db"]["image"] == "postgres:15-bookworm", "Debian bookworm's client is version 15"
