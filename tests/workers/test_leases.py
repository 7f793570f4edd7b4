"""A worker has a job for as long as its lease lasts, and writes nothing after it."""

import pytest

from tests.workers.jobs import log_of, lose, queued, told
from tests.workers.kinds import kind_that
from workers import engine
from workers.engine import lease
from workers.errors import LeaseLost
from workers.models import Job, JobEvent

State = Job.State
pytestmark = pytest.mark.django_db


def test_a_job_whose_worker_was_lost_is_taken_back_and_a_living_one_is_not():
    with kind_that(lambda params, run: {}):
        lost, living = queued(1), queued(2)
        assert lease.claim(lost.pk, "a:1")
        assert lease.claim(living.pk, "a:2")
        lose(lost)
        engine.sweep()
        lost.refresh_from_db()
        living.refresh_from_db()
        assert (lost.state, living.state) == (State.QUEUED, State.RUNNING)
        engine.perform(lost.pk)
    lost.refresh_from_db()
    assert (lost.state, lost.attempt) == (State.SUCCEEDED, 2)
    assert log_of(lost) == ["queued", "started", "worker_lost", "started", "succeeded"]
    assert "a:1 gave no sign of life" in told(lost)


def test_a_job_that_loses_every_worker_is_given_up():
    with kind_that(lambda params, run: {}, attempts=2):
        job = queued()
        for _ in range(2):
            assert lease.claim(job.pk, "a:1")
            lose(job)
            engine.sweep()
    job.refresh_from_db()
    assert (job.state, job.message) == (State.FAILED, "Its worker was lost. Given up after 2 attempts.")


def test_a_worker_that_lost_its_lease_writes_nothing():
    with kind_that(lambda params, run: {}):
        job = queued()
        old = lease.claim(job.pk, "a:1")
        lose(job)
        engine.sweep()
        new = lease.claim(job.pk, "a:2")
    for write in (
        lambda: lease.progress(old, done=5),
        lambda: lease.log(old, "still here"),
        lambda: lease.renew(old),
        lambda: lease.settle(old, State.SUCCEEDED, JobEvent.Kind.SUCCEEDED, result={"by": "old"}),
        lambda: lease.fence(old).__enter__(),
    ):
        with pytest.raises(LeaseLost):
            write()
    lease.settle(new, State.SUCCEEDED, JobEvent.Kind.SUCCEEDED, result={"by": "new"})
    job.refresh_from_db()
    assert (job.result, job.done) == ({"by": "new"}, 0)
    assert "still here" not in told(job)


def test_a_lease_that_ran_out_is_lost_even_before_anyone_takes_it_back():
    with kind_that(lambda params, run: {}):
        claim = lease.claim(queued().pk, "a:1")
    lose(Job.objects.get())
    with pytest.raises(LeaseLost), lease.fence(claim):
        pytest.fail("the fence let a late writer in")
