"""The regressor's jobs over a harvested hospital: trained on a release, kept by version, used to locate."""

import threading
from io import StringIO

import pytest
import torch
from django.core.management import CommandError, call_command

from datasets.models import LesionLocation, LocationModel, Release, SeriesLocation
from tests import factories
from workers import bodypart, engine, tasks
from workers.engine import lease
from workers.models import Job

pytestmark = pytest.mark.slow

ENOUGH = 40
"""Steps in which just enough is learned to be kept."""


@pytest.fixture
def released(db, phantom_hospital, settings, tmp_path):
    """A release of the phantom hospital."""
    settings.DATA_DIR = tmp_path
    settings.IDENTITY_KEY_FILE = tmp_path / "identity_key"
    # The jobs run in the test's transaction, where no second connection can renew their lease.
    settings.JOB_LEASE_SECONDS = 600
    call_command("harvest", f"dir://{phantom_hospital / 'dicom'}", stdout=StringIO(), collection="phantom")
    call_command("release", "create", "demo-1.0", stdout=StringIO())


def test_training_keeps_the_model_and_sends_for_locating(released, tmp_path):
    job = engine.enqueue(kind="bodypart", params={"release": "demo-1.0", "steps": ENOUGH}, send=False)
    tasks.perform(job_id=job.pk)
    job.refresh_from_db()
    assert job.state == Job.State.SUCCEEDED, job.message
    assert job.result["steps"] == ENOUGH
    version = LocationModel.objects.get().version
    kept = tmp_path / "bodypart" / version
    assert sorted(path.name for path in kept.iterdir()) == ["metrics.jsonl", "model.json", "model.pt", "train.log"]
    assert "steps 40/40" in bodypart.log_of(job.pk, version).read_text()
    assert not (tmp_path / "jobs" / str(job.pk)).exists(), "what it went on from is gone"
    waiting = Job.objects.get(kind="locate")
    assert waiting.params == {"collection": "phantom", "model": version}
    tasks.perform(job_id=waiting.pk)
    waiting.refresh_from_db()
    assert waiting.state == Job.State.SUCCEEDED, waiting.message
    assert SeriesLocation.objects.count() > 0
    assert waiting.result["lesions"] == LesionLocation.objects.filter(unknown="").count()


def test_the_command_trains_measures_and_locates(released):
    out = StringIO()
    call_command("train_bodypart", "demo-1.0", steps=ENOUGH, phantom=2, stdout=out)
    assert "is trained." in out.getvalue()
    assert "lesions located" in out.getvalue()
    asked = Job.objects.filter(kind__in=("bodypart", "locate")).order_by("pk")
    assert list(asked.values_list("kind", flat=True)) == ["bodypart", "locate"]
    facts = LocationModel.objects.get().facts
    measured = facts["phantom"]
    assert (measured["patients"], measured["landmarks"] > 2) == (2, True)
    assert 0 <= measured["smoothed_monotonic"] <= 1
    assert -1 <= measured["rank_correlation"] <= 1
    assert measured["landmark_error"] > 0
    assert facts["release_sha256"] == Release.objects.get().manifest.sha256


def test_what_is_not_there_is_told_in_a_sentence(db):
    with pytest.raises(CommandError, match="there is no release nowhere"):
        call_command("train_bodypart", "nowhere")
    with pytest.raises(CommandError, match="there is no release nowhere"):
        call_command("locate", "nowhere")
    with pytest.raises(CommandError, match="nothing to locate"):
        call_command("locate", "all")
    factories.make_collection()
    with pytest.raises(CommandError, match=r"^no body-part regressor is trained yet; train one"):
        call_command("locate", "all")
    with pytest.raises(CommandError, match="there is no model bpr-small-1: no body-part regressor is trained yet"):
        call_command("locate", "all", model="bpr-small-1")
    LocationModel.objects.create(version="bpr-small-1", trained_on="demo-1.0")
    with pytest.raises(CommandError, match="there is no model bpr-small-2; known are bpr-small-1"):
        call_command("locate", "all", model="bpr-small-2")


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda path: path.unlink(), r"the file of the model bpr-small-1 is missing, bodypart/bpr-small-1/model\.pt"),
        (
            lambda path: path.write_bytes(b"\0" * 100),
            r"\(bodypart/bpr-small-1/model\.pt in the data directory\) is damaged",
        ),
        (
            lambda path: torch.save({"kind": "body-part regressor", "format": 99}, path),
            r"bpr-small-1/model\.pt .* has format 99",
        ),
    ],
)
def test_a_model_that_cannot_be_used_is_named_and_changes_nothing(db, settings, tmp_path, spoil, sentence):
    settings.DATA_DIR = tmp_path
    LocationModel.objects.create(version="bpr-small-1", trained_on="demo-1.0")
    lesion = factories.make_lesion(x=0.4, y=0.5, z=0.5, location_source="bpr-small-0")
    path = tmp_path / "bodypart" / "bpr-small-1" / "model.pt"
    path.parent.mkdir(parents=True)
    path.touch()
    spoil(path)
    with pytest.raises(CommandError, match=sentence):
        call_command("locate", "all")
    lesion.refresh_from_db()
    assert (lesion.z, lesion.location_source) == (0.5, "bpr-small-0")
    assert Job.objects.get().state == Job.State.FAILED


def test_a_cancel_does_not_wait_until_the_regressor_is_loaded(db, settings, tmp_path, monkeypatch):
    settings.DATA_DIR = tmp_path
    settings.JOB_LEASE_SECONDS = 600
    factories.make_collection(slug="phantom")
    LocationModel.objects.create(version="bpr-small-1", trained_on="demo-1.0")
    job = engine.enqueue(kind="locate", params={"collection": "phantom", "model": "bpr-small-1"}, send=False)
    loading, over = threading.Event(), threading.Event()
    check = lease.check

    def load(path):
        loading.set()
        over.wait(30)

    def cancelled_once_it_loads(claim):
        if loading.is_set():
            engine.cancel(job.pk)
        check(claim)

    monkeypatch.setattr("detection.bodypart.model.load_model", load)
    monkeypatch.setattr(lease, "check", cancelled_once_it_loads)
    tasks.perform(job_id=job.pk)
    over.set()
    job.refresh_from_db()
    assert job.state == Job.State.CANCELLED
    assert (job.finished - job.started).total_seconds() < 2
