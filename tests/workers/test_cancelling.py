"""A cancel has one outcome, and what was cancelled can be retried."""

import threading
import time

import pytest
from django.db import connection, transaction

from datasets.models import Collection
from tests import factories
from tests.workers.jobs import log_of, queued
from tests.workers.kinds import kind_that
from workers import engine
from workers.errors import Cancelled, NotCancellable, NotRetriable
from workers.models import Job

State = Job.State
pytestmark = pytest.mark.django_db


def test_a_queued_job_is_cancelled_at_once_and_can_be_retried():
    with kind_that(lambda params, run: {}):
        job = queued()
        assert engine.cancel(job.pk, by=factories.make_user("admin")).state == State.CANCELLED
        engine.perform(job.pk)
        with pytest.raises(NotCancellable, match="it was cancelled"):
            engine.cancel(job.pk)
        assert engine.retry(job.pk).state == State.QUEUED
        with pytest.raises(NotRetriable):
            engine.retry(job.pk)
        engine.perform(job.pk)
    job.refresh_from_db()
    assert job.state == State.SUCCEEDED
    assert log_of(job) == ["queued", "cancelled", "queued", "started", "succeeded"]


def test_a_job_cannot_be_retried_beside_an_equal_one():
    with kind_that(lambda params, run: {}):
        job = queued()
        engine.cancel(job.pk)
        queued()
        with pytest.raises(NotRetriable, match="does the same"):
            engine.retry(job.pk)


def test_a_running_job_ends_where_it_looks_for_a_cancel():
    def work(params, run):
        engine.cancel(job.pk)
        run.check_cancelled()
        pytest.fail("the work went on")

    with kind_that(work):
        job = queued()
        engine.perform(job.pk)
    job.refresh_from_db()
    assert job.state == State.CANCELLED
    assert log_of(job) == ["queued", "started", "cancel_requested", "cancelled"]


def test_a_cancel_that_comes_after_the_work_was_done_does_not_undo_it():
    def work(params, run):
        engine.cancel(job.pk)
        return {"files": 3}

    with kind_that(work):
        job = queued()
        engine.perform(job.pk)
    job.refresh_from_db()
    assert (job.state, job.result) == (State.SUCCEEDED, {"files": 3})
    with pytest.raises(NotCancellable, match="has succeeded"):
        engine.cancel(job.pk)


def test_nothing_is_committed_behind_the_fence_after_a_cancel():
    def work(params, run):
        engine.cancel(job.pk)
        with run.fence():
            factories.make_user("researcher", username="late")
        return {}

    with kind_that(work):
        job = queued()
        engine.perform(job.pk)
    job.refresh_from_db()
    assert job.state == State.CANCELLED


@pytest.mark.django_db(transaction=True)
def test_work_gives_way_in_the_middle_of_its_transaction():
    begun = threading.Event()

    def work(params, run):
        with transaction.atomic():
            factories.make_collection(slug="half")
            begun.set()
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline:
                run.check_cancelled()
        return {}

    def cancel():
        begun.wait(10)
        engine.cancel(job.pk)
        connection.close()

    with kind_that(work):
        job = queued()
        asking = threading.Thread(target=cancel)
        asking.start()
        engine.perform(job.pk)
        asking.join()
    job.refresh_from_db()
    assert job.state == State.CANCELLED
    assert log_of(job) == ["queued", "started", "cancel_requested", "cancelled"]
    assert (job.finished - job.started).total_seconds() < 2
    assert not Collection.objects.exists(), "nothing half-written stays"


def test_work_that_gave_way_to_nobody_is_queued_again():
    def work(params, run):
        raise Cancelled

    with kind_that(work):
        job = queued()
        engine.perform(job.pk)
    job.refresh_from_db()
    assert job.state == State.QUEUED
    assert log_of(job)[-1] == "handed_back"
