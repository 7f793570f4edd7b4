"""Publishing as a job: who lost the job, or was asked to end, publishes nothing."""

from datetime import timedelta

import pytest

from datasets.models import Release
from datasets.services import release as releases
from tests import factories
from workers import engine
from workers.engine import lease
from workers.models import Job

pytestmark = pytest.mark.django_db


def released():
    job = Job.objects.get(kind="release")
    engine.perform(job.pk)
    job.refresh_from_db()
    return job


@pytest.fixture
def queued():
    collection = factories.make_hospital(3)
    return engine.enqueue(
        kind="release", params={"release": "ward-1.0", "collection": collection.slug, "split": "34/33/33"}
    )


@pytest.fixture
def meanwhile(monkeypatch):
    """Let something happen when the images have been read, before the release is published."""

    def happens(act):
        read = releases.hash_slices

        def hash_slices(**values):
            read(**values)
            act()

        monkeypatch.setattr(releases, "hash_slices", hash_slices)

    return happens


def test_a_release_is_published_by_its_job(queued):
    assert released().state == Job.State.SUCCEEDED
    assert Release.objects.get().state == Release.State.PUBLISHED


def test_a_cancelled_job_publishes_nothing(queued, meanwhile):
    meanwhile(lambda: engine.cancel(queued.pk))
    assert released().state == Job.State.CANCELLED
    assert not Release.objects.exists()
    assert not Job.objects.filter(kind="manifest").exists()


def test_a_worker_that_paused_past_its_lease_publishes_nothing_and_the_next_one_does(queued, meanwhile):
    lost = []

    def pause():
        if not lost:
            lost.append(Job.objects.filter(pk=queued.pk).update(lease_until=lease.after(-timedelta(seconds=1))))

    meanwhile(pause)
    assert released().state == Job.State.RUNNING, "it is for the sweep to take it back"
    assert not Release.objects.exists()
    engine.sweep()
    assert released().state == Job.State.SUCCEEDED
    assert Release.objects.get().state == Release.State.PUBLISHED
