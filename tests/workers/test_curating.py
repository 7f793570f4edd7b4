"""Curation as a job: recomputed by the thresholds in force, and nothing changes the second time."""

from dataclasses import replace
from io import StringIO

import pytest
from django.core.management import call_command

from datasets.models import Lesion
from datasets.services import curate
from tests import factories
from workers import engine
from workers.models import Job

pytestmark = pytest.mark.django_db


def curated(slug):
    job = engine.enqueue(kind="curate", params={"collection": slug})
    engine.perform(job.pk)
    job.refresh_from_db()
    return job


@pytest.fixture
def collection():
    found = factories.make_collection(slug="ward")
    place = factories.make_slice(
        series=factories.make_series(study=factories.make_study(patient=factories.make_patient(collection=found)))
    )
    for at in (0, 1):
        factories.make_lesion(slice=place, number=at + 1)
    return found


def test_a_collection_is_curated_anew_when_a_threshold_has_changed(collection, settings):
    first = curated("ward")
    assert first.state == Job.State.SUCCEEDED, first.message
    assert (first.result["merged"], first.result["lesions"]) == (2, 1)
    assert (first.done, first.total, first.unit) == (1, 1, "lesions")
    assert curated("ward").result["merged"] == 0
    settings.THRESHOLDS = replace(settings.THRESHOLDS, noise_smallest_mm2=20_000.0)
    assert curated("ward").result["possibly_noisy"] == 1
    standing = Lesion.objects.get(merged_into=None)
    assert standing.noise_reasons[0]["threshold"] == 20_000
    out = StringIO()
    call_command("curate", stdout=out)
    assert out.getvalue() == "ward: 1 lesions, 0 marks merged, 0 pairs proposed, 1 possibly noisy\n"


@pytest.mark.parametrize(
    ("kind", "slug", "words"),
    [("published", "deeplesion", "keeps the curation"), ("hospital", "x", "no collection")],
)
def test_what_is_not_to_be_curated_is_refused(kind, slug, words):
    factories.make_collection(slug="deeplesion", kind=kind)
    job = curated(slug)
    assert (job.state, words in job.message) == (Job.State.FAILED, True)


def test_a_cancelled_curation_keeps_what_is_settled_and_ends(collection, monkeypatch):
    job = engine.enqueue(kind="curate", params={"collection": "ward"})
    original = curate.tidy

    def tidy(series, limits):
        engine.cancel(job.pk)
        return original(series, limits)

    monkeypatch.setattr(curate, "tidy", tidy)
    monkeypatch.setattr("workers.engine.attempt.CHECK_EVERY_S", 0.0)
    engine.perform(job.pk)
    job.refresh_from_db()
    assert job.state == Job.State.CANCELLED
    assert Lesion.objects.filter(possibly_noisy=True).count() == 0
