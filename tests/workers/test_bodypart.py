"""Training the regressor beside the worker: cut off and gone on with, and what its program says."""

import contextlib
import time
from datetime import timedelta
from pathlib import Path

import pytest

from datasets.models import LocationModel
from tests import factories
from tests.detection.bodypart.columns import write_release
from workers import bodypart, engine, expiry, hashes, tasks
from workers.errors import Cancelled
from workers.models import Job
from workers.run import Rehearsal

PATIENTS, STEPS = 14, 20
"""Just enough to learn an order from."""
LIMIT_S = 10
"""However busy the machine; `python -m benchmarks cancel` holds an idle one against two seconds."""


@pytest.fixture
def columns(db, settings, tmp_path):
    """The folder of a published release of small bodies, as it lies there once it was exported."""
    settings.DATA_DIR = tmp_path
    settings.JOB_LEASE_SECONDS = 600
    factories.make_release(name="columns-1.0")
    folder = tmp_path / "exports" / "columns-1.0"
    folder.mkdir(parents=True)
    write_release(
        folder, {f"{patient:06d}_01_01": range(41) for patient in range(1, PATIENTS + 1)}, sources=["phantom"]
    )
    return folder


class Watched(Rehearsal):
    """A run that is ended, as by a cancel, when it is first told of a unit."""

    def __init__(self, folder):
        super().__init__(lambda done, total, unit: None)
        self.folder, self.end_at, self.ended = folder, "", 0.0

    def progress(self, done, total, unit="", message=""):
        if unit == self.end_at:
            self.ended = time.monotonic()
            raise Cancelled


def programs_of(folder):
    """Processes that name a folder in their command."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str(folder).encode() in (entry / "cmdline").read_bytes():
                found.append(entry.name)
    return found


def test_a_training_that_is_cancelled_leaves_no_program_and_goes_on_from_its_checkpoint(columns, tmp_path):
    run = Watched(tmp_path / "job")
    run.folder.mkdir()
    for end_at in ("steps", "series scored"):
        run.end_at = end_at
        with pytest.raises(Cancelled):
            bodypart.train("columns-1.0", run, preset="small", steps=STEPS, phantom=0)
        assert time.monotonic() - run.ended < LIMIT_S
        assert not programs_of(run.folder)
        assert not LocationModel.objects.exists()
    log = run.folder / "run" / "train.log"
    before = log.read_text()
    run.end_at = ""
    bodypart.train("columns-1.0", run, preset="small", steps=STEPS, phantom=0)
    assert f"steps {STEPS}/{STEPS}" in before
    assert f"/{STEPS}" not in log.read_text().removeprefix(before), "what was learned is not learned again"
    model = LocationModel.objects.get()
    assert model.facts["steps"] == STEPS
    assert model.hashes == hashes.of_those(bodypart.folder_of(model.version), bodypart.KEPT)
    assert set(model.hashes) == set(bodypart.KEPT)


def train(steps):
    """Let a worker do the job."""
    job = engine.enqueue(kind="bodypart", params={"release": "columns-1.0", "steps": steps}, send=False)
    tasks.perform(job_id=job.pk)
    job.refresh_from_db()
    return job


def test_what_the_training_program_says_is_the_job_s_message(columns):
    image = next(columns.rglob("*.png"))
    image.write_bytes(b"no picture")
    job = train(steps=STEPS)
    assert job.state == Job.State.FAILED
    assert image.name in job.message
    assert image.name in job.events.get(kind="log").text


def test_training_again_gives_the_model_that_is_there(columns):
    first = train(steps=STEPS)
    (model,) = LocationModel.objects.all()
    again = train(steps=STEPS)
    assert first.pk != again.pk
    assert (again.state, again.result["version"]) == (Job.State.SUCCEEDED, model.version)
    assert LocationModel.objects.get() == model
    assert not [path.name for path in bodypart.folder_of("x").parent.iterdir() if path.name != model.version]


def test_what_a_lost_worker_has_left_of_a_job_that_succeeded_is_removed(db, settings, tmp_path):
    settings.DATA_DIR = tmp_path
    done, running = (factories.make_job(kind="bodypart", state=state) for state in ("succeeded", "running"))
    for job in (done, running):
        (tmp_path / "jobs" / str(job.pk) / "run").mkdir(parents=True)
    # What a worker that was lost while it removed another has left.
    (tmp_path / "jobs" / f"{expiry.GONE}999999" / "run").mkdir(parents=True)
    expiry.expire()
    assert [path.name for path in (tmp_path / "jobs").iterdir()] == [str(running.pk)]


def test_what_a_job_went_on_from_goes_a_week_after_it_was_given_up(db, settings, tmp_path, monkeypatch):
    settings.DATA_DIR = tmp_path
    failed, cancelled, again, waiting = (
        factories.make_job(kind="bodypart", state=state) for state in ("failed", "cancelled", "failed", "queued")
    )
    for job in (failed, cancelled, again, waiting):
        (tmp_path / "jobs" / str(job.pk) / "run").mkdir(parents=True)
    expiry.expire()
    assert len(list((tmp_path / "jobs").iterdir())) == 4, "somebody may try again, or read what it said"
    engine.retry(again.pk)
    monkeypatch.setattr(expiry, "KEPT_FOR", timedelta(0))
    expiry.expire()
    assert {path.name for path in (tmp_path / "jobs").iterdir()} == {str(again.pk), str(waiting.pk)}
