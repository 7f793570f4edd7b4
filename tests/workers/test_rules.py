"""What the database itself refuses of jobs, whatever code, shell or import asks for it."""

import pytest
from django.db import IntegrityError, transaction

from tests import factories
from workers import engine
from workers.models import Job, JobEvent, JobKey

pytestmark = pytest.mark.django_db


def refused(sentence, change, **values):
    with pytest.raises(IntegrityError, match=sentence), transaction.atomic():
        change(**values)


def test_a_finished_job_does_not_begin_again_and_no_attempt_is_left_uncounted():
    done = Job.objects.filter(pk=factories.make_job(state=Job.State.SUCCEEDED).pk)
    refused("cannot go from that state", done.update, state=Job.State.QUEUED)
    refused("cannot go from that state", done.update, message="other")
    waiting = Job.objects.filter(pk=factories.make_job(kind="curate", params={"collection": "a"}).pk)
    refused("every claim counts once", waiting.update, state=Job.State.RUNNING)
    refused("never changes", waiting.update, params={"collection": "b"})


def test_the_log_of_a_job_stays():
    engine.enqueue(kind="curate", params={"collection": "a"})
    refused("never changes", JobEvent.objects.update, text="other")
    refused("never deleted", JobEvent.objects.all().delete)


def test_the_job_that_a_key_was_answered_with_stays():
    first = engine.enqueue(kind="curate", params={"collection": "a"}, key="k")
    other = engine.enqueue(kind="curate", params={"collection": "b"})
    for change in ({"job": other}, {"key": "l"}, {"owner": factories.make_user("admin")}):
        refused("never changes", JobKey.objects.update, **change)
    refused("never forgotten", JobKey.objects.get().delete)
    assert engine.enqueue(kind="curate", params={"collection": "a"}, key="k") == first
