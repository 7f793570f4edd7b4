"""Jobs: queued once, run once, told truthfully."""

from datetime import timedelta

import pytest
from django.utils import timezone

from workers import engine
from workers.models import Job

State = Job.State


def queued(**values):
    return Job.objects.create(kind=Job.Kind.MANIFEST, params={"release": "demo-1.0"}, **values)


def running(heartbeat):
    return queued(state=State.RUNNING, started=heartbeat, heartbeat=heartbeat)


def work_that(result=None, raises=None, calls=None):
    def work(params, progress):
        progress(1, 4)
        if calls is not None:
            calls.append(params)
        if raises is not None:
            raise raises
        return result or {}

    return {Job.Kind.MANIFEST: work}


@pytest.mark.django_db
def test_a_job_runs_once_although_its_message_comes_twice():
    job, calls = queued(), []
    engine.perform(job.pk, work_that({"files": 3}, calls=calls))
    engine.perform(job.pk, work_that({"files": 4}, calls=calls))
    job.refresh_from_db()
    assert calls == [{"release": "demo-1.0"}]
    assert (job.state, job.result, job.done, job.total) == (State.SUCCEEDED, {"files": 3}, 1, 4)
    assert job.percent == 25
    assert job.finished >= job.started


@pytest.mark.django_db
def test_a_stranger_s_error_leaves_its_kind_and_not_its_words():
    job = queued()
    engine.perform(job.pk, work_that(raises=OSError("/data/JOHN^DOE/1.dcm")))
    job.refresh_from_db()
    assert job.state == State.FAILED
    assert job.message == "stopped by OSError"


@pytest.mark.django_db
def test_an_error_of_our_own_is_told_whole():
    from datasets.pacs.source import SourceNotFound

    job = queued()
    engine.perform(job.pk, work_that(raises=SourceNotFound("there is no folder /data")))
    job.refresh_from_db()
    assert job.message == "there is no folder /data"


@pytest.mark.django_db
def test_a_job_whose_worker_was_lost_is_taken_over_and_a_living_one_is_not():
    now = timezone.now()
    lost, living = running(now - engine.LOST_AFTER - timedelta(seconds=1)), running(now)
    assert engine.waiting() == [lost.pk]
    calls = []
    for job in (lost, living):
        engine.perform(job.pk, work_that(calls=calls))
    lost.refresh_from_db()
    living.refresh_from_db()
    assert (lost.state, living.state, len(calls)) == (State.SUCCEEDED, State.RUNNING, 1)


@pytest.mark.django_db
def test_an_equal_unfinished_job_is_not_queued_twice():
    first = engine.enqueue(kind=Job.Kind.MANIFEST, params={"release": "a"})
    assert engine.enqueue(kind=Job.Kind.MANIFEST, params={"release": "a"}) == first
    assert engine.enqueue(kind=Job.Kind.MANIFEST, params={"release": "b"}) != first


@pytest.mark.django_db
def test_work_done_here_is_recorded_and_its_error_raised():
    seen = []
    result = engine.run_here(
        kind=Job.Kind.HARVEST,
        params={},
        work=lambda params, progress: (progress(2, 2), {"lesions": 5})[1],
        progress=lambda done, total: seen.append((done, total)),
    )
    assert result == {"lesions": 5}
    assert seen == [(2, 2)]
    with pytest.raises(ZeroDivisionError):
        engine.run_here(kind=Job.Kind.HARVEST, params={}, work=lambda params, progress: {"": 1 // 0})
    assert list(Job.objects.values_list("state", flat=True)) == [State.FAILED, State.SUCCEEDED]
