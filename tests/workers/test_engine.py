"""Jobs run once and are told truthfully, however their work ends."""

import threading
import time
from pathlib import Path

import pytest
from django.db import connection
from django.db.models.functions import Now

from tests import factories
from tests.workers.jobs import again_at_once, log_of, queued, told
from tests.workers.kinds import kind_that
from workers import engine
from workers.models import Job

State = Job.State
pytestmark = pytest.mark.django_db


def test_a_job_runs_once_although_its_message_comes_twice():
    calls = []

    def work(params, run):
        calls.append(params.number)
        run.progress(1, 4, "files")
        return {"files": 3}

    with kind_that(work):
        job = queued(7)
        engine.perform(job.pk)
        engine.perform(job.pk)
    job.refresh_from_db()
    assert calls == [7]
    assert (job.state, job.result, job.done, job.total, job.unit) == (State.SUCCEEDED, {"files": 3}, 1, 4, "files")
    assert job.percent == 25
    assert job.finished >= job.started >= job.created
    assert log_of(job) == ["queued", "started", "succeeded"]


def test_a_stranger_s_error_leaves_its_kind_and_not_its_words():
    def work(params, run):
        raise ValueError("/data/JOHN^DOE/1.dcm")

    with kind_that(work):
        job = queued()
        engine.perform(job.pk)
    job.refresh_from_db()
    assert (job.state, job.message) == (State.FAILED, "Stopped by ValueError.")
    assert told(job)[-1] == "Stopped by ValueError."


@pytest.mark.parametrize("result", [{"x": float("nan")}, {"x": object()}, {"x": "a\0b"}])
def test_a_result_that_cannot_be_kept_fails_its_job_and_costs_no_worker(result):
    with kind_that(lambda params, run: result):
        job = queued()
        engine.perform(job.pk)
    job.refresh_from_db()
    if result == {"x": "a\0b"} and connection.vendor == "sqlite":
        assert (job.state, job.result) == (State.SUCCEEDED, result)
    else:
        assert (job.state, job.attempt) == (State.FAILED, 1)
        assert job.message.startswith("Stopped by ")


def test_work_that_would_end_its_process_fails_unless_the_worker_is_shut_down(monkeypatch):
    def work(params, run):
        raise SystemExit(3)

    with kind_that(work):
        job = queued()
        engine.perform(job.pk)
        job.refresh_from_db()
        assert (job.state, job.message) == (State.FAILED, "the work asked for the end of its process")
        monkeypatch.setattr("workers.engine.shutdown.begun", lambda: True)
        engine.retry(job.pk)
        with pytest.raises(SystemExit):
            engine.perform(job.pk)
    job.refresh_from_db()
    assert job.state == State.QUEUED
    assert log_of(job)[-1] == "handed_back"


def test_an_error_of_our_own_is_told_whole():
    from datasets.pacs.source import SourceNotFound

    def work(params, run):
        raise SourceNotFound("there is no folder /data")

    with kind_that(work):
        job = queued()
        engine.perform(job.pk)
    job.refresh_from_db()
    assert job.message == "there is no folder /data"


def test_a_transient_error_is_tried_again_later_each_time_and_given_up_in_the_end():
    def work(params, run):
        raise ConnectionResetError

    with kind_that(work, attempts=3):
        job = queued()
        waits = []
        for _ in range(3):
            engine.perform(job.pk)
            job.refresh_from_db()
            if job.state == State.QUEUED:
                waits.append(Job.objects.filter(pk=job.pk, not_before__gt=Now()).count())
                engine.perform(job.pk)
                assert log_of(job)[-1] == "retried", "not before its time"
                again_at_once(job)
    assert waits == [1, 1]
    assert job.state == State.FAILED
    assert job.message == "Stopped by ConnectionResetError. Given up after 3 attempts."
    assert [text for text in told(job) if text.startswith("in ")] == [
        "in 5 s: Stopped by ConnectionResetError.",
        "in 15 s: Stopped by ConnectionResetError.",
    ]


def test_what_follows_is_queued_with_the_success_and_not_without():
    def work(params, run):
        run.then("manifest", {"release": "a-1.0"})
        if params.number:
            raise ValueError
        return {}

    with kind_that(work):
        engine.perform(queued(1).pk)
        assert not Job.objects.filter(kind="manifest").exists()
        engine.perform(queued(0).pk)
    assert Job.objects.get(kind="manifest").params == {"release": "a-1.0"}


def test_work_done_here_is_recorded_shown_and_its_error_raised():
    seen = []

    def work(params, run):
        run.progress(2, 2, "files")
        return {"lesions": 1 // params.number}

    with kind_that(work):
        done = engine.wait_for(queued(1, send=False), lambda done, total, unit: seen.append((done, total, unit)))
        assert (done.state, done.result) == (State.SUCCEEDED, {"lesions": 1})
        with pytest.raises(ZeroDivisionError):
            engine.wait_for(queued(0, send=False))
    assert seen[0] == (2, 2, "files")
    assert list(Job.objects.values_list("state", flat=True)) == [State.FAILED, State.SUCCEEDED]


def test_a_success_stands_although_what_came_afterwards_failed():
    lines, tidied = [], []

    def work(params, run):
        run.afterwards(lambda: Path("/proc/self/comm/order.json").unlink())
        run.afterwards(lambda: tidied.append(1))
        return {"lesions": 3}

    with kind_that(work):
        job = engine.wait_for(queued(1, send=False), told=lines.append)
    assert (job.state, job.result, tidied) == (State.SUCCEEDED, {"lesions": 3}, [1])
    failed = "tidying up afterwards failed: Stopped by NotADirectoryError."
    assert lines == [f"Job {job.pk} has succeeded, but {failed} (/proc/self/comm/order.json)"]
    assert told(job)[-1] == failed


def test_the_time_left_counts_from_what_an_attempt_found_done_and_anew_for_each_unit():
    seen = []

    def work(params, run):
        for done, unit in ((40, "series"), (50, "series"), (0, "rows"), (3, "rows")):
            run.progress(done, 100, unit)
            job = Job.objects.get()
            seen.append((job.unit, job.counted_from))
        return {}

    with kind_that(work):
        engine.perform(queued().pk)
    assert seen == [("series", 40), ("series", 40), ("rows", 0), ("rows", 0)]


@pytest.mark.django_db(transaction=True)
def test_work_that_writes_all_the_time_leaves_others_their_turn():
    begun, over, waited = threading.Event(), threading.Event(), []

    def work(params, run):
        for number in range(100):
            with run.fence():
                factories.make_collection(slug=f"a{number}")
                begun.set()
                time.sleep(0.2)
            if over.is_set():
                return {}
        return {}

    def write():
        begun.wait(10)
        since = time.monotonic()
        factories.make_collection(slug="b")
        waited.append(time.monotonic() - since)
        over.set()
        connection.close()

    with kind_that(work):
        job = queued()
        other = threading.Thread(target=write)
        other.start()
        engine.perform(job.pk)
        other.join()
    assert waited[0] < 3
