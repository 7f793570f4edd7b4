"""A DeepLesion download imported as a job: broken off it goes on, cancelled it ends, and its release follows."""

from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from datasets.models import Collection, Lesion, Release, Slice
from datasets.services import import_images, import_rows
from tests.datasets import tables
from workers import engine
from workers.engine import lease, shutdown
from workers.kinds import import_download
from workers.models import Job

pytestmark = pytest.mark.django_db
State = Job.State


@pytest.fixture(autouse=True)
def data_dir(tmp_path, settings):
    settings.DATA_DIR = tmp_path / "data"


@pytest.fixture
def folder(tmp_path):
    """A download of four patients, a key slice and a neighbour each; nothing is shared between them."""
    rows = [tables.row(number, split=min(number, 3)) for number in (1, 2, 3, 4)]
    download = tmp_path / "download"
    download.mkdir()
    tables.write(download / "DL_info.csv", rows)
    for row in rows:
        for number in (10, 11):
            tables.draw(download / "Images_png", row.folder, number, seed=row.patient)
    return download


def queued(folder, **values):
    params = import_download.params_of(
        folder / "DL_info.csv", images=folder / "Images_png", collection="deeplesion", **values
    )
    return engine.enqueue(kind="import", params=params)


def perform(job):
    engine.perform(job.pk)
    job.refresh_from_db()
    return job


@pytest.fixture
def looked_at(monkeypatch):
    """Paths of the images that were decoded."""
    paths = []
    measure = import_images._measure

    def measured(path, wanted):
        paths.append(path)
        return measure(path, wanted)

    monkeypatch.setattr(import_images, "_measure", measured)
    return paths


def test_an_import_is_one_job_and_its_release_follows(folder):
    job = perform(queued(folder, release="deeplesion"))
    assert job.state == State.SUCCEEDED, job.message
    assert (job.result["rows"], job.result["added"]["slices"], job.result["added"]["lesions"]) == (4, 8, 4)
    assert Lesion.objects.exclude(mean_hu=None).count() == 4
    perform(Job.objects.get(kind="release"))
    assert Release.objects.get().name == "deeplesion"
    assert Job.objects.filter(kind="manifest", state=State.QUEUED).exists()
    again = perform(queued(folder, release="deeplesion"))
    assert (again.state, again.result["lesions_known"], again.result["release"]) == (State.SUCCEEDED, 4, "")
    assert (Lesion.objects.count(), Release.objects.count()) == (4, 1)


def test_what_was_seen_of_the_images_is_not_looked_at_again(folder, looked_at, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(
            import_rows.Writer, "write_neighbours", lambda self: patch.setattr(shutdown, "begun", lambda: True)
        )
        job = perform(queued(folder))
    assert (job.state, Lesion.objects.count(), Collection.objects.count()) == (State.QUEUED, 0, 0)
    assert len(looked_at) == 4
    with (job_folder(job) / "survey.jsonl").open("a") as journal:
        journal.write('{"name":"cut o')
    job = perform(job)
    assert (job.state, Lesion.objects.exclude(mean_hu=None).count()) == (State.SUCCEEDED, 4), job.message
    assert len(looked_at) == 4, "from the journal"
    assert not (job_folder(job) / "survey.jsonl").exists()


def job_folder(job):
    return Path(settings.DATA_DIR) / "jobs" / str(job.pk)


def test_a_damaged_image_is_looked_at_again_once_it_is_mended(folder, looked_at, monkeypatch):
    damaged = folder / "Images_png" / "000002_01_01" / "010.png"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:100])
    job = queued(folder)
    with monkeypatch.context() as patch:
        patch.setattr("datasets.services.import_deeplesion.lines", lambda table: engine.cancel(job.pk) and 5)
        assert (perform(job).state, Lesion.objects.count()) == (State.CANCELLED, 0)
    damaged.write_bytes(whole)
    engine.retry(job.pk)
    assert perform(job).result["images_left_out"] == 0
    assert Lesion.objects.exclude(mean_hu=None).count() == 4
    assert [path.parent.name for path in looked_at[4:]] == ["000002_01_01"]


def test_a_cancelled_import_ends_after_a_series_and_leaves_nothing(folder, monkeypatch):
    def add(self, name, seen):
        added.append(name)
        engine.cancel(job.pk)

    added = []
    monkeypatch.setattr("datasets.services.import_journal.Journal.add", add)
    monkeypatch.setattr("workers.engine.attempt.CHECK_EVERY_S", 0.0)
    job = queued(folder)
    assert perform(job).state == State.CANCELLED
    assert (len(added), Collection.objects.count(), Slice.objects.count()) == (1, 0, 0)


def test_a_worker_that_lost_its_lease_while_it_wrote_rows_commits_none(folder, monkeypatch):
    def lost(self):
        Job.objects.filter(pk=job.pk).update(lease_until=lease.after(-lease.length()))

    monkeypatch.setattr(import_rows.Writer, "write_neighbours", lost)
    job = queued(folder)
    perform(job)
    assert Lesion.objects.count() == 0


def test_a_job_names_places_of_bad_rows_and_a_terminal_their_cells(folder):
    rows = [tables.row(1), tables.cells(tables.row(2), Patient_age="J. Doe")]
    tables.write(folder / "DL_info.csv", rows)
    err, out = StringIO(), StringIO()
    with pytest.raises(CommandError, match="not everything was good"):
        call_command("import_deeplesion", str(folder / "DL_info.csv"), stdout=out, stderr=err)
    assert "line 3, Patient_age: 'J. Doe' is not a number" in err.getvalue()
    job = Job.objects.get()
    assert job.result["bad_rows"] == [{"line": 3, "column": "Patient_age"}]
    assert "Doe" not in str([job.result, job.message, *job.events.values_list("text", flat=True)])


def test_a_table_of_another_kind_is_refused_before_a_job_is_made(folder):
    (folder / "DL_info.csv").write_text("a,b\n1,2\n")
    with pytest.raises(CommandError, match=r"is not a DL_info\.csv"):
        call_command("import_deeplesion", str(folder / "DL_info.csv"), stdout=StringIO())
    assert not Job.objects.exists()
