"""Jobs: queued once, run once, told truthfully."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.db.models.functions import Now

from tests import factories
from tests.workers.kinds import kind_that
from workers import engine, standing
from workers.engine import ask, lease
from workers.errors import InvalidParams, KeyReused, LeaseLost, NotCancellable, NotRetriable, UnknownKind
from workers.models import Job, JobEvent

State = Job.State
pytestmark = pytest.mark.django_db


def queued(number=0, **values):
    return engine.enqueue(kind="try", params={"number": number}, **values)


def log_of(job):
    return list(job.events.values_list("kind", flat=True))


def told(job):
    return list(job.events.values_list("text", flat=True))


def lose(job):
    """Let the lease run out, as if its worker had been gone for long."""
    Job.objects.filter(pk=job.pk).update(lease_until=lease.after(-timedelta(seconds=1)))


def again_at_once(job):
    Job.objects.filter(pk=job.pk).update(not_before=Now())


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


def test_an_equal_unfinished_job_is_not_queued_twice():
    with kind_that(lambda params, run: {}):
        first = queued(1)
        assert queued(1) == first
        assert queued(2) != first
        engine.perform(first.pk)
        assert queued(1) != first


def test_an_equal_job_that_ends_while_another_is_asked_for_is_not_in_its_way(monkeypatch):
    look = ask._known

    def just_ended(*asked):
        engine.cancel(first.pk)
        return look(*asked)

    with kind_that(lambda params, run: {}):
        first = queued(1)
        monkeypatch.setattr(ask, "_known", just_ended)
        second = queued(1)
    assert second.pk != first.pk
    assert Job.objects.get(pk=second.pk).state == State.QUEUED


def test_what_is_asked_for_while_its_like_is_being_cancelled_is_a_job_of_its_own():
    again = []

    def work(params, run):
        engine.cancel(first.pk)
        again.append(queued(1))
        run.check_cancelled()
        pytest.fail("the work went on")

    with kind_that(work):
        first = queued(1)
        engine.perform(first.pk)
    first.refresh_from_db()
    assert first.state == State.CANCELLED
    assert again[0].pk != first.pk
    assert Job.objects.get(pk=again[0].pk).state == State.QUEUED


def test_an_idempotency_key_gives_its_owner_one_job_for_ever():
    ann, ben = factories.make_user("admin"), factories.make_user("admin")
    with kind_that(lambda params, run: {}):
        first = queued(1, owner=ann, key="k")
        engine.perform(first.pk)
        assert queued(1, owner=ann, key="k") == first
        assert queued(1, owner=ben, key="k") != first
        with pytest.raises(KeyReused, match="was asked to do something else"):
            queued(2, owner=ann, key="k")


@pytest.mark.parametrize("role", ["admin", None])
def test_a_key_that_an_equal_job_answered_is_answered_so_for_ever(role):
    owner = factories.make_user(role) if role else None
    with kind_that(lambda params, run: {}):
        first = queued(1)
        assert queued(1, owner=owner, key="k") == queued(1, owner=owner, key="l") == first
        with pytest.raises(KeyReused, match=f"used for job {first.pk},"):
            queued(2, owner=owner, key="k")
        engine.perform(first.pk)
        second = queued(1)
        assert [queued(1, owner=owner, key=key) for key in ("k", "l")] == [first, first] != [second, second]
    assert Job.objects.count() == 2


def test_what_makes_no_sense_is_refused_in_a_sentence_each():
    with pytest.raises(UnknownKind, match="no kind of job called nonsense"):
        engine.enqueue(kind="nonsense", params={})
    with kind_that(lambda params, run: {}), pytest.raises(InvalidParams) as refused:
        engine.enqueue(kind="try", params={"number": "one", "colour": 1})
    assert refused.value.mistakes == {
        "number": "number must be a whole number.",
        "colour": "There is no parameter colour.",
    }
    assert Job.objects.count() == 0


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


def test_who_waits_has_waited_since_the_job_was_due_last():
    with kind_that(lambda params, run: {}):
        job = queued()
        Job.objects.filter(pk=job.pk).update(created=lease.after(-timedelta(days=30)))
        engine.cancel(job.pk)
        engine.retry(job.pk)
    assert waited() < 60
    Job.objects.filter(pk=job.pk).update(not_before=lease.after(-timedelta(minutes=5)))
    assert 300 <= waited() < 360
    Job.objects.filter(pk=job.pk).update(not_before=lease.after(timedelta(minutes=5)))
    assert waited() == 0


def waited():
    return next(queue.oldest_s for queue in standing.queues() if queue.name == "io")


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
