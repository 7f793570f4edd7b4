"""A release packed as a job: what the site then serves is whole, checked, and known by its SHA-256."""

import hashlib
from io import StringIO
from zipfile import ZipFile

import pytest
from django.core.management import CommandError, call_command

from datasets.models import Release
from datasets.services import archive
from datasets.services.import_deeplesion import import_deeplesion
from datasets.storage import slice_root
from tests.datasets import tables
from workers import engine
from workers.engine import shutdown
from workers.models import Job

pytestmark = pytest.mark.django_db


@pytest.fixture
def released(tmp_path, settings):
    """A published release of three patients, two slices each."""
    settings.DATA_DIR = tmp_path / "data"
    rows = [tables.row(number, split=number) for number in (1, 2, 3)]
    for row in rows:
        for number in (10, 11):
            tables.draw(tmp_path / "Images_png", row.folder, number, seed=row.patient)
    table = tables.write(tmp_path / "in.csv", rows)
    import_deeplesion(table, images=tmp_path / "Images_png", copy=True, release="r-1")
    return Release.objects.get()


def packed(release):
    job = engine.enqueue(kind="export", params={"release": release.name})
    engine.perform(job.pk)
    job.refresh_from_db()
    return job


def test_the_zip_holds_the_release_and_matches_its_sum(released):
    job = packed(released)
    assert job.state == Job.State.SUCCEEDED, job.message
    path = archive.path_of("r-1")
    assert job.result == {
        "file": "r-1.zip",
        "bytes": path.stat().st_size,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    with ZipFile(path) as opened:
        assert opened.testzip() is None
        names = opened.namelist()
        assert names[:2] == ["DL_info.csv", "manifest.json"]
        assert len(names) == 8
        slice_of = slice_root(released.collection) / "000001_01_01/010.png"
        assert opened.read("Images_png/000001_01_01/010.png") == slice_of.read_bytes()
    assert sorted(entry.name for entry in path.parent.iterdir()) == [".r-1.zip.lock", "r-1.zip", "r-1.zip.sha256"]
    assert packed(released).result == job.result
    out = StringIO()
    call_command("release", "export", "r-1", stdout=out)
    assert job.result["sha256"] in out.getvalue()


@pytest.mark.parametrize("torn", [b"", b"torn in the middle of a file"])
def test_packing_goes_on_after_the_last_whole_file_and_ends_the_same(released, monkeypatch, torn):
    whole = packed(released).result
    path = archive.path_of("r-1")
    path.unlink()
    read = []
    original = archive.read_image

    def image(storage, path, sha256):
        read.append(path)
        if len(read) == 3:
            monkeypatch.setattr(shutdown, "begun", lambda: True)
        return original(storage, path, sha256)

    monkeypatch.setattr(archive, "read_image", image)
    job = packed(released)
    assert job.state == Job.State.QUEUED
    part = path.with_name(f".{path.name}.part")
    with part.open("ab") as file:
        file.write(torn)
    monkeypatch.setattr(shutdown, "begun", lambda: False)
    engine.perform(job.pk)
    job.refresh_from_db()
    assert (job.state, job.result) == (Job.State.SUCCEEDED, whole), job.message
    assert len(read) == len(set(read)) == 6, "no image is read twice"


def test_an_image_that_is_not_the_released_one_is_told_and_nothing_is_served(released):
    damaged = slice_root(released.collection) / "000002_01_01/011.png"
    damaged.chmod(0o640)
    damaged.write_bytes(damaged.read_bytes()[:-3])
    with pytest.raises(CommandError, match=r"^000002_01_01/011\.png is damaged"):
        call_command("release", "export", "r-1", stdout=StringIO())
    assert archive.find("r-1") is None
    assert [entry.name for entry in archive.path_of("r-1").parent.iterdir()] == [".r-1.zip.lock"]


def test_a_cancelled_export_leaves_nothing(released, monkeypatch):
    job = engine.enqueue(kind="export", params={"release": "r-1"})
    original = archive.read_image

    def image(storage, path, sha256):
        engine.cancel(job.pk)
        return original(storage, path, sha256)

    monkeypatch.setattr(archive, "read_image", image)
    monkeypatch.setattr("workers.engine.attempt.CHECK_EVERY_S", 0.0)
    engine.perform(job.pk)
    job.refresh_from_db()
    assert job.state == Job.State.CANCELLED
    assert [entry.name for entry in archive.path_of("r-1").parent.iterdir()] == [".r-1.zip.lock"]


def test_a_draft_is_not_packed(released):
    job = engine.enqueue(kind="export", params={"release": "no-such"})
    engine.perform(job.pk)
    job.refresh_from_db()
    assert (job.state, job.message) == (Job.State.FAILED, "there is no release no-such")
