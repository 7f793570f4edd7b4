"""The regressor's jobs over a harvested hospital: trained on a release, kept by version, used to locate."""

import dataclasses
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from datasets.models import LesionLocation, LocationModel, SeriesLocation
from detection.bodypart import settings as presets
from workers import tasks
from workers.models import Job


@pytest.fixture
def released(db, phantom_hospital, settings, tmp_path, monkeypatch):
    """A release of the phantom hospital, and a preset that learns for a few steps only."""
    settings.DATA_DIR = tmp_path
    settings.IDENTITY_KEY_FILE = tmp_path / "identity_key"
    few = dataclasses.replace(presets.PRESETS["small"], steps=6)
    monkeypatch.setitem(presets.PRESETS, "small", few)
    call_command("harvest", f"dir://{phantom_hospital / 'dicom'}", stdout=StringIO(), collection="phantom")
    call_command("release", "create", "demo-1.0", stdout=StringIO())


def test_training_keeps_the_model_and_sends_for_locating(released, tmp_path):
    job = Job.objects.create(kind=Job.Kind.BODYPART, params={"release": "demo-1.0", "preset": "small"})
    tasks.perform(job_id=job.pk)
    job.refresh_from_db()
    assert job.state == Job.State.SUCCEEDED, job.message
    version = LocationModel.objects.get().version
    assert (tmp_path / "bodypart" / version / "model.pt").is_file()
    assert not (tmp_path / "training" / "demo-1.0").exists(), "what was exported for training is gone"
    waiting = Job.objects.get(kind=Job.Kind.LOCATE)
    assert waiting.params == {"collection": "phantom", "model": version}
    tasks.perform(job_id=waiting.pk)
    waiting.refresh_from_db()
    assert waiting.state == Job.State.SUCCEEDED, waiting.message
    assert SeriesLocation.objects.count() > 0
    assert waiting.result["lesions"] == LesionLocation.objects.count()


def test_the_command_trains_and_locates(released):
    out = StringIO()
    call_command("train_bodypart", "demo-1.0", stdout=out)
    assert "is trained." in out.getvalue()
    assert "lesions located" in out.getvalue()
    assert list(Job.objects.order_by("pk").values_list("kind", flat=True))[1:] == ["bodypart", "locate"]


def test_what_is_not_there_is_told_in_a_sentence(db):
    with pytest.raises(CommandError, match="there is no release nowhere"):
        call_command("train_bodypart", "nowhere")
    with pytest.raises(CommandError, match="train one with"):
        call_command("locate", "all")
