"""`make pacs`: what it prints works when it is typed, and Ctrl-C ends it."""

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.core.management import CommandError, call_command

from deeplesion_site.management.commands import pacs
from tests.peers.needed import need

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN_S, ENDED_WITHIN_S = 60, 30


def _environment(data: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "DICOMWEB_PASSWORD")}
    return {**kept, "DATA_DIR": str(data), "PYTHONUNBUFFERED": "1"}


def _one_patient(hospital: Path, out: Path) -> None:
    """A hospital with the first patient of another one."""
    shutil.copytree(hospital / "dicom" / "P0001", out / "dicom" / "P0001", copy_function=os.link)
    people = json.loads((hospital / "truth.json").read_text())["people"]
    (out / "truth.json").write_text(json.dumps({"people": people[:1]}))


@contextmanager
def _running(data: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run it until it has printed what to type."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "pacs"], cwd=ROOT, env=_environment(data), stdout=output, stderr=output
        )
    try:
        deadline = time.monotonic() + READY_WITHIN_S
        while "--since-last" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(ENDED_WITHIN_S)


@pytest.mark.services
def test_what_it_prints_harvests_and_ctrl_c_ends_it(phantom_hospital: Path, tmp_path: Path) -> None:
    need("orthanc")
    need("orthanc-dicomweb")
    data, log = tmp_path / "data", tmp_path / "log"
    _one_patient(phantom_hospital, data / "pacs" / "1-patients")
    with _running(data, log) as process:
        printed = [line.strip() for line in log.read_text().splitlines()]
        (password,) = [line for line in printed if "DICOMWEB_PASSWORD" in line]
        (dry_run,) = [line for line in printed if line.endswith("--dry-run")]
        assert (data / "pacs" / "password").read_text() not in log.read_text()
        assert "its worker does the harvests: start `make serve` after the same `export`" in log.read_text()
        script = f"{password}\npython manage.py migrate -v0\n{dry_run}\n".replace("python ", f"{sys.executable} ")
        tried = subprocess.run(
            ["sh", "-ec", script], cwd=ROOT, env=_environment(data), capture_output=True, text=True, check=False
        )
        assert tried.returncode == 0, tried.stderr
        assert "Dry run: nothing was written." in tried.stdout
        second = subprocess.run(
            [sys.executable, "manage.py", "pacs"],
            cwd=ROOT, env=_environment(data), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "runs in" in second.stderr
        assert len(second.stderr.splitlines()) == 1
    assert process.returncode == 0
    assert log.read_text().endswith("Ended. `make pacs` goes on with what it holds.\n")
    (address,) = {word for word in shlex.split(dry_run) if word.startswith("dicomweb+")}
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", urlsplit(address).port)), "nothing listens there any more"


@pytest.mark.parametrize("missing", ["find_program", "find_plugin"])
def test_without_orthanc_it_says_how_to_install_it(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacs, missing, lambda: None)
    with pytest.raises(CommandError, match="as root: apt-get install") as caught:
        call_command("pacs")
    assert "\n" not in str(caught.value)


def test_a_port_that_is_taken_is_left_to_who_has_it() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert pacs.port(taken.getsockname()[1]) not in (0, taken.getsockname()[1])
