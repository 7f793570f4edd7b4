"""compose.yaml against the settings and the documentation that it stands on."""

import os
import re
import shlex
import subprocess
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


def test_beat_runs_once_and_slices_may_lie_in_a_bucket() -> None:
    beats = [name for name, service in OURS.items() if " beat" in service["command"]]
    assert beats == ["beat"]
    assert "replicas" not in str(SERVICES["beat"])
    environment = SERVICES["worker-io"]["environment"]
    assert {"S3_BUCKET", "S3_ENDPOINT", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} <= set(environment)


def test_pg_dump_in_the_image_is_as_new_as_the_server() -> None:
    assert "FROM python:3.11-slim-bookworm" in (ROOT / "Dockerfile").read_text()
    assert SERVICES["db"]["image"] == "postgres:15-bookworm", "Debian bookworm's client is version 15"
