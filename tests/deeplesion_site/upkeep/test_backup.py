"""What a backup holds, and what becomes of it when it is broken off or its source changes."""

import json
from pathlib import Path
from types import SimpleNamespace

from tests.deeplesion_site.upkeep.site import Site, contents, listing, slices


def test_a_backup_does_not_go_into_what_it_backs_up(filled: SimpleNamespace) -> None:
    assert "cannot lie in DATA_DIR" in filled.site.run("backup", filled.site.data / "backup").stderr


INTERRUPTED = """
import os, signal
from pathlib import Path
from deeplesion_site.upkeep import backup
def progress(done, total):
    if done == total:
        os.kill(os.getpid(), signal.SIGKILL)
backup.back_up(Path({folder!r}), progress)
"""


def test_a_backup_that_is_killed_leaves_the_one_before_it_whole(
    filled: SimpleNamespace, tmp_path: Path, phantom_hospital: Path
) -> None:
    site, folder = Site(tmp_path / "grown"), tmp_path / "backup"
    site.good("restore", filled.backup)
    site.take_key(filled.site)
    log = site.data / "runs" / "log.txt"
    log.parent.mkdir()
    log.write_text("as it was")
    site.good("backup", folder)
    before = contents(site)
    site.good("harvest", f"dir://{phantom_hospital / 'dicom' / 'P0003'}", "--collection", "second")
    log.write_text("more since")
    assert site.code(INTERRUPTED.format(folder=str(folder))).returncode < 0
    other = Site(tmp_path / "second")
    assert "manifests: good" in other.good("restore", folder)
    assert contents(other) == before
    log.unlink()
    site.good("backup", folder)
    left = {path.name for path in folder.iterdir()}
    assert left == {".lock", "backup.json", "files", *(each.name for each in folder.glob("*-*"))}
    assert len(left) == 5, "one database and one list"
    kept = [json.loads(line)["kept"] for line in listing(folder).read_text().splitlines()]
    found = [path.relative_to(folder / "files").as_posix() for path in (folder / "files").rglob("*") if path.is_file()]
    assert sorted(kept) == sorted(found)
    assert not (folder / "files" / "runs").exists()


MEANWHILE = """
from pathlib import Path
from django.conf import settings
from deeplesion_site.upkeep import backup, database
data, dump, listed = Path(settings.DATA_DIR), database.dump, backup._of_folder
def then_a_slice(*arguments):
    made = dump(*arguments)
    (next((data / "slices" / "hospital").iterdir()) / "999.png").write_bytes(b"late")
    (data / "slices" / "later" / "1").mkdir(parents=True)
    (data / "slices" / "later" / "1" / "001.png").write_bytes(b"late")
    (data / "runs" / "7").mkdir(parents=True)
    (data / "runs" / "7" / "checkpoint.pt").write_bytes(b"late")
    return made
def then_without(source):
    (data / "jobs" / "1").mkdir(parents=True, exist_ok=True)
    passing = [data / "jobs" / "1" / "passing", *({lost})]
    passing[0].write_text("x")
    found = list(listed(source))
    for path in passing:
        path.unlink()
    return iter(found)
database.dump, backup._of_folder = then_a_slice, then_without
print(backup.back_up(Path({folder!r}), lambda done, total: None))
"""


def test_what_comes_and_goes_while_a_backup_is_taken_does_no_harm(filled: SimpleNamespace, tmp_path: Path) -> None:
    site = Site(tmp_path / "busy")
    site.good("restore", filled.backup)
    before = contents(site)
    taken = site.code(MEANWHILE.format(folder=str(tmp_path / "backup"), lost=""))
    assert taken.returncode == 0, taken.stderr
    other = Site(tmp_path / "second")
    foreign = other.data / "slices" / "foreign" / "1" / "001.png"
    foreign.parent.mkdir(parents=True)
    foreign.write_bytes(b"of somebody else")
    said = other.run("restore", tmp_path / "backup").stdout
    assert "that the database does not know are left out" in said
    assert "files without a row: 1 problems\n  slices/foreign/1/001.png: no row" in said
    foreign.unlink()
    assert contents(other) == before
    assert not any((other.data / "runs").iterdir()), "the next run takes no older one's checkpoint"


def test_a_slice_that_vanishes_ends_a_backup_and_is_named(filled: SimpleNamespace, tmp_path: Path) -> None:
    site = Site(tmp_path / "busy")
    site.good("restore", filled.backup)
    lost = slices(site)[0]
    ended = site.code(MEANWHILE.format(folder=str(tmp_path / "backup"), lost=f"Path({str(lost)!r}),"))
    assert f"{lost.relative_to(site.data)} vanished while it was copied" in ended.stderr
    assert not (tmp_path / "backup" / "backup.json").exists()


def test_nothing_that_identifies_is_in_a_backup(filled: SimpleNamespace, tmp_path: Path) -> None:
    site = Site(tmp_path / "first")
    site.good("restore", filled.backup)
    key, order = site.data / "keys" / "id", site.data / "harvests" / f"{'a' * 64}.json"
    for path in (key, order):
        path.parent.mkdir()
        path.write_text("identifying")
    site.more = {"IDENTITY_KEY_FILE": str(key)}
    (tmp_path / "backup").mkdir(mode=0o755)
    site.good("backup", tmp_path / "backup")
    found = [path for path in (tmp_path / "backup").rglob("*") if path.is_file()]
    assert len(found) > len(slices(site))
    for path in found:
        assert path.stat().st_mode & 0o077 == 0, path
        assert b"identifying" not in path.read_bytes(), path
    assert (tmp_path / "backup").stat().st_mode & 0o777 == 0o700
    other = Site(tmp_path / "second")
    other.good("restore", tmp_path / "backup")
    modes = [[path.stat().st_mode & 0o777 for path in slices(each)] for each in (site, other)]
    assert modes[0] == modes[1]


def test_what_is_made_again_is_not_in_a_backup(filled: SimpleNamespace, tmp_path: Path) -> None:
    site = Site(tmp_path / "first")
    site.good("restore", filled.backup)
    kept = {"runs/1/last.pt", "jobs/2/run/cache", "slices/cache/a"}
    beat = ("beat.dat", "beat.dir", "beat.bak", "beat")
    for name in (*kept, *beat, "runs/1/cache/slice.npy", "jobs/2/run/.nfs000000000001"):
        (site.data / name).parent.mkdir(parents=True, exist_ok=True)
        (site.data / name).write_text("made by hand")
    site.good("backup", tmp_path / "backup")
    names = {json.loads(line)["path"] for line in listing(tmp_path / "backup").read_text().splitlines()}
    assert {name for name in names if name.startswith(("runs/", "jobs/", "slices/cache/", "beat"))} == kept


PLAN = """
from datasets.services.harvest.order import Order
from workers import harvesting, schedules
order = Order(source={source!r}, collection="hospital", since_last=True)
schedules.plan(params=harvesting.params_of(order), every_hours=24)
harvesting.params_of(Order(source={source!r}, collection="hospital", accession_numbers=("ZEBRA1",)))
"""

DUE = """
from celery import current_app
from workers import engine, schedules
current_app.send_task = lambda *_, **__: None
(job,) = schedules.tick()
engine.perform(job.pk)
job.refresh_from_db()
print(job.state, job.message)
"""


def test_a_planned_harvest_comes_again_after_a_restore(
    filled: SimpleNamespace, tmp_path: Path, phantom_hospital: Path
) -> None:
    site, other = Site(tmp_path / "first"), Site(tmp_path / "second")
    site.good("restore", filled.backup)
    site.take_key(filled.site)
    source = f"dir://{phantom_hospital / 'dicom' / 'P0001'}"
    planned = site.code(PLAN.format(source=source))
    assert planned.returncode == 0, planned.stderr
    assert len(list((site.data / "harvests").iterdir())) == 2
    site.good("backup", tmp_path / "backup")
    other.good("restore", tmp_path / "backup")
    (order,) = (other.data / "harvests").iterdir()
    assert "ZEBRA1" not in order.read_text(), "a list of accession numbers stays out"
    assert order.stat().st_mode & 0o777 == 0o600
    other.take_key(site)
    due = other.code(DUE)
    assert "succeeded" in due.stdout, due.stdout + due.stderr


def test_a_database_that_is_called_as_a_folder_of_ours_costs_no_file(filled: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    site = Site(tmp_path / "first", f"sqlite:///{tmp_path / 'elsewhere' / 'slices'}")
    site.good("restore", filled.backup)
    site.good("backup", tmp_path / "backup")
    names = {json.loads(line)["path"] for line in listing(tmp_path / "backup").read_text().splitlines()}
    assert {
        f"slices/{name}" for name in (path.relative_to(site.data / "slices").as_posix() for path in slices(site))
    } <= names
