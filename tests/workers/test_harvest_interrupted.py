"""A harvest that was stopped anywhere and run again gives what one without a stop gives, and takes nothing twice."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from pydicom.dataset import Dataset

from tests.datasets.pacs.dicom_files import bidimensional, ct, report
from tests.datasets.pacs.web_archive import archive
from tests.datasets.pacs.web_server import Answer
from tests.workers.served import Serve, folder, web
from tests.workers.test_harvest_failures import study

ROOT = Path(__file__).resolve().parents[2]
STUDIES, SLICES = 4, 12
WITHIN_S = 60


def _environment(data: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key != "DATABASE_URL"}
    return {**kept, "DATA_DIR": str(data), "IDENTITY_KEY_FILE": str(data.parent / "key")}


def _manage(data: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "manage.py", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=ROOT, env=_environment(data), preexec_fn=_listen_to_ctrl_c, **pipes)


def _listen_to_ctrl_c() -> None:
    """Tests that a shell runs in the background inherit that Ctrl-C is not for them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _killed(data: Path, address: str, kills: int) -> list[Path]:
    """Harvest with so many kills; give what each harvest that came to its end left, the undisturbed one first."""
    command = [sys.executable, "-m", "tests.workers.killed", address, str(kills), "7"]
    done = subprocess.run(command, cwd=ROOT, env=_environment(data), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, [str(kills)]), done.stderr
    return sorted(data.parent.glob("round-*"), key=lambda path: int(path.name.partition("-")[2]))


def _files(data: Path) -> dict[str, bytes]:
    """Everything below the slices' folder, half-written files as well."""
    return {str(path.relative_to(data)): path.read_bytes() for path in (data / "slices").rglob("*") if path.is_file()}


TABLES = ("patient", "study", "series", "slice", "annotation", "lesion", "sourceidentity", "harvestedstudy")


def _rows(data: Path) -> dict[str, list[tuple[str, ...]]]:
    """Every table but its keys and times of writing."""
    found = {}
    with sqlite3.connect(data / "db.sqlite3") as database:
        for table in TABLES:
            columns = [row[1] for row in database.execute(f"pragma table_info(datasets_{table})")]
            told = [
                name for name in columns if name not in ("id", "created", "stored_at") and not name.endswith("_id")
            ]
            rows = database.execute(f"select {', '.join(told)} from datasets_{table}")
            found[table] = sorted(tuple(map(repr, row)) for row in rows)
    return found


def _hospital() -> list[Dataset]:
    """Studies with a series of `SLICES` and two reports each."""
    found = []
    for number in range(STUDIES):
        uid = f"1.2.840.8.{number}"
        names = {"StudyInstanceUID": uid, "PatientID": str(number)}
        for place in range(SLICES):
            found.append(ct(z=2.0 * place, SOPInstanceUID=f"{uid}.1.{place}", SeriesInstanceUID=f"{uid}.1", **names))
        for mark, place in enumerate((3, 9)):
            own = {"SeriesInstanceUID": f"{uid}.9", "SOPInstanceUID": f"{uid}.9.{mark}"}
            found.append(report(bidimensional(f"{uid}.1.{place}"), **names, **own))
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("serve", "kills"), [(web, 20), (folder, 5)], ids=["DICOMweb", "folder"])
def test_killed_at_moments_spread_over_its_work_it_ends_the_same(serve: Serve, kills: int, tmp_path: Path) -> None:
    with serve(_hospital(), tmp_path / "pacs") as address:
        never, *often = _killed(tmp_path / "data", address, kills)
    assert len(_rows(never)["lesion"]) == 2 * STUDIES
    assert often
    for each in often:
        assert _rows(each) == _rows(never)
        assert _files(each) == _files(never), "no picture differs, none is left over"


def _series_in(path: str) -> str:
    """The series that a request asks for as a whole or in part; none for reports and lists."""
    words = path.split("/")
    named = words[words.index("series") + 1] if "series" in words else ""
    return named if named.endswith(".1") else ""


@contextmanager
def _watched(objects: list[Any]) -> Iterator[tuple[str, list[str], Event, Event]]:
    """An archive that waits at the second series until it may go on; gives its address and what it was asked for."""
    asked: list[str] = []
    reached, may_go_on = Event(), Event()

    def watch(path: str) -> Answer | None:
        if series := _series_in(path):
            asked.append(series)
        if len(set(asked)) == 2:
            reached.set()
            may_go_on.wait(WITHIN_S)
        return None

    with archive(objects, watch) as address:
        yield address, asked, reached, may_go_on


def test_ctrl_c_ends_in_one_sentence_and_the_next_run_takes_only_the_rest(tmp_path: Path) -> None:
    data = tmp_path / "data"
    objects = [each for number in (1, 2, 3) for each in study(f"1.2.840.9.{number}")]
    assert _manage(data, "migrate", "-v0").wait(WITHIN_S) == 0
    with _watched(objects) as (address, asked, reached, may_go_on):
        process = _manage(data, "harvest", address)
        assert reached.wait(WITHIN_S)
        # The server does not answer while Ctrl-C is pressed, and still the harvest ends.
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=WITHIN_S)
        may_go_on.set()
        assert process.returncode == 1
        assert err.count("\n") == 1, err
        assert "The harvest stopped at study 2 of 3: it was interrupted. What was committed is whole" in err
        done, interrupted = dict.fromkeys(asked)
        asked.clear()
        again = _manage(data, "harvest", address)
        _, err = again.communicate(timeout=WITHIN_S)
        assert (again.returncode, err) == (0, "")
    assert done not in asked, "what is complete is not downloaded again"
    assert {*asked, done} == {f"1.2.840.9.{number}.1" for number in (1, 2, 3)}
    assert interrupted in asked
    assert len(_rows(data)["lesion"]) == 3
