"""Jobs that end without success: their runs and evaluations do not wait for a worker for ever, and say why."""

from datetime import timedelta

import pytest

from detection.models import Evaluation, TrainingRun
from detection.services import evaluations, runs
from tests import factories as factories_of_datasets
from tests import factories_detection as factories
from workers import engine, training
from workers.engine import lease
from workers.engine.attempt import Attempt
from workers.engine.perform import work
from workers.models import Job

pytestmark = pytest.mark.django_db

PARAMS = {"release": "r-1", "preset": "tiny", "epochs": 2}
GIVEN_UP = "Its worker was lost. Given up after 1 attempts."


@pytest.fixture
def run():
    """One that waits."""
    return runs.run_request(release="r-1", preset="tiny", options={"epochs": 2})


def trains(run):
    """Queue the run's job and let a worker begin it."""
    job = engine.enqueue(kind="train", params=PARAMS)
    assert lease.claim(job.pk, "a:1")
    runs.run_begin(run, device="cpu", code_version="1", torch_version="2")
    return job


def lose(job):
    """Let the lease run out, and sweep."""
    Job.objects.filter(pk=job.pk).update(lease_until=lease.after(-timedelta(seconds=1)))
    engine.sweep()
    job.refresh_from_db()


def told(row):
    row.refresh_from_db()
    return row.state, row.message


def test_a_run_whose_cancelled_job_has_lost_its_worker_is_stopped(run):
    job = trains(run)
    engine.cancel(job.pk)
    lose(job)
    assert job.state == Job.State.CANCELLED
    assert told(run) == ("stopped", "It was stopped; started again, it goes on from its newest checkpoint.")


def test_a_run_goes_on_waiting_while_its_job_does_and_says_why_it_was_given_up(run):
    job = trains(run)
    lose(job)
    assert (job.state, told(run)) == (Job.State.QUEUED, ("training", ""))
    assert lease.claim(job.pk, "a:2")
    Job.objects.filter(pk=job.pk).update(attempts_allowed=2)
    lose(job)
    assert told(run) == ("failed", "Its worker was lost. Given up after 2 attempts.")


def test_a_run_whose_job_is_cancelled_between_two_attempts_is_stopped(run):
    job = trains(run)
    lose(job)
    engine.cancel(job.pk)
    assert told(run)[0] == "stopped"


def test_a_run_whose_job_never_began_does_not_wait_any_more_and_can_be_asked_for_again(run):
    job = engine.enqueue(kind="train", params=PARAMS)
    engine.cancel(job.pk)
    assert told(run) == ("cancelled", "It was cancelled before it began.")
    assert run.started is None
    runs.run_requeue(run)
    assert told(run) == ("queued", "")


def test_a_worker_that_ends_a_cancelled_job_before_it_began_leaves_no_run_waiting():
    factories_of_datasets.make_release(name="r-1")
    run = training.request(PARAMS)
    claim = lease.claim(engine.enqueue(kind="train", params=PARAMS).pk, "a:1")
    engine.cancel(claim.job_id)
    work(Attempt(claim))
    assert Job.objects.get().state == Job.State.CANCELLED
    assert told(run) == ("cancelled", "It was cancelled before it began.")
    assert run.started is None


def test_a_job_that_fails_before_its_run_begins_is_the_run_s_end_too(run):
    job = engine.enqueue(kind="train", params=PARAMS)
    engine.perform(job.pk)
    job.refresh_from_db()
    assert told(run) == ("failed", job.message)
    assert (run.started, "r-1" in job.message) == (None, True)


def test_an_evaluation_that_is_cancelled_before_it_began_says_so():
    evaluation = evaluations.evaluation_request(run=factories.make_run(state="trained"))
    claim = lease.claim(engine.enqueue(kind="evaluate", params={"run": evaluation.run_id}).pk, "a:1")
    engine.cancel(claim.job_id)
    work(Attempt(claim))
    assert told(evaluation) == ("cancelled", "It was cancelled before it began.")
    assert evaluation.started is None
    evaluations.evaluation_requeue(evaluation)
    assert told(evaluation) == ("queued", "")


def test_a_run_that_another_job_trains_is_left_to_that(run):
    job = trains(run)
    engine.cancel(job.pk)
    # The same run in other words: what is asked for while its like is being cancelled is a new job.
    engine.enqueue(kind="train", params={**PARAMS, "weights": "random"})
    lose(job)
    assert told(run) == (TrainingRun.State.TRAINING, "")


@pytest.mark.parametrize("begun", [True, False])
def test_a_run_whose_job_is_retried_waits_at_once(run, begun):
    job = trains(run) if begun else engine.enqueue(kind="train", params=PARAMS)
    engine.cancel(job.pk)
    if begun:
        lose(job)
    engine.retry(job.pk)
    assert told(run) == ("queued", "")


def test_a_run_whose_worker_is_shut_down_waits_at_once(run, monkeypatch):
    factories_of_datasets.make_release(name="r-1", published=True)
    claim = lease.claim(engine.enqueue(kind="train", params=PARAMS).pk, "a:1")
    monkeypatch.setattr("workers.engine.shutdown.begun", lambda: True)
    work(Attempt(claim))
    assert Job.objects.get().state == Job.State.QUEUED
    assert told(run) == ("queued", "")
    assert run.started is not None


def test_an_evaluation_whose_job_is_retried_waits_at_once():
    evaluation = evaluations.evaluation_request(run=factories.make_run(state="trained"))
    job = engine.enqueue(kind="evaluate", params={"run": evaluation.run_id})
    engine.cancel(job.pk)
    assert told(evaluation)[0] == "cancelled"
    engine.retry(job.pk)
    assert told(evaluation) == ("queued", "")


def test_an_evaluation_waits_from_the_moment_that_its_job_does():
    run = factories.make_run(state="trained")
    job = engine.enqueue(kind="evaluate", params={"run": run.pk, "split": "val"})
    evaluation = run.evaluations.get()
    assert (evaluation.split, evaluation.state) == ("val", "queued")
    engine.cancel(job.pk)
    assert told(evaluation)[0] == "cancelled"
    engine.enqueue(kind="evaluate", params={"run": run.pk, "split": "val"})
    assert told(evaluation) == ("queued", "")


def test_a_job_for_a_run_that_is_not_trained_is_queued_and_says_so_itself():
    job = engine.enqueue(kind="evaluate", params={"run": factories.make_run(state="training").pk})
    assert job.state == Job.State.QUEUED
    assert not Evaluation.objects.exists()


def test_a_job_without_a_run_leaves_none():
    engine.cancel(engine.enqueue(kind="train", params=PARAMS).pk)
    assert not TrainingRun.objects.exists()


@pytest.mark.parametrize(("cancelled", "message"), [(True, "It was stopped; start it again."), (False, GIVEN_UP)])
def test_an_evaluation_whose_job_has_lost_its_worker_has_failed(cancelled, message):
    evaluation = evaluations.evaluation_request(run=factories.make_run(state="trained"))
    job = engine.enqueue(kind="evaluate", params={"run": evaluation.run_id})
    assert lease.claim(job.pk, "a:1")
    evaluations.evaluation_begin(evaluation)
    if cancelled:
        engine.cancel(job.pk)
    Job.objects.filter(pk=job.pk).update(attempts_allowed=1)
    lose(job)
    assert told(evaluation) == (Evaluation.State.FAILED, message)
    evaluations.evaluation_requeue(evaluation)
    assert told(evaluation) == ("queued", "")
