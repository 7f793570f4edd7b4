"""Jobs are queued once: the same asked for again, idempotency keys, and who waits for how long."""

from datetime import timedelta

import pytest

from tests import factories
from tests.workers.jobs import queued
from tests.workers.kinds import kind_that
from workers import engine, standing
from workers.engine import ask, lease
from workers.errors import InvalidParams, KeyReused, UnknownKind
from workers.models import Job

State = Job.State
pytestmark = pytest.mark.django_db


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
