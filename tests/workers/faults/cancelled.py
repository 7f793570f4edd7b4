"""A cancel that races with success, and one that ends a program beside the worker."""

import time

from tests.workers.faults import judge
from tests.workers.faults.stage import Stage
from workers import engine
from workers.errors import NotCancellable
from workers.models import Job


def racing_with_success(stage: Stage, jobs: int) -> str:
    """Cancel short jobs about when they succeed: each has one outcome, and the one that its row says."""
    stage.worker(processes=2)
    refused = 0
    keys = []
    for _ in range(jobs):
        keys += stage.enqueue(1, steps=3, pause=0.05)
        key = keys[-1]
        stage.until(lambda key=key: stage.state(key) != "queued", "it is at work")  # type: ignore[misc]
        time.sleep(stage.choice.uniform(0.0, 0.3))
        try:
            engine.cancel(key)
        except NotCancellable:
            refused += 1
    stage.finished(keys)
    outcomes = {"succeeded": 0, "cancelled": 0}
    for job in Job.objects.filter(pk__in=keys):
        outcomes[job.state] += 1
        assert (job.result == {"steps": 3}) == (job.state == "succeeded"), (job.state, job.result)
        judge.the_log_tells(job)
    assert outcomes["succeeded"] >= refused
    return (
        f"{outcomes['succeeded']} succeeded, {outcomes['cancelled']} were cancelled, {refused} cancels came too late"
    )


def within_two_seconds(stage: Stage) -> str:
    """A running job ends within two seconds of the request."""
    stage.worker()
    (key,) = stage.enqueue(1, steps=1000, pause=0.1)
    stage.until(lambda: Job.objects.get(pk=key).done >= 2, "it is at work")
    begun = time.monotonic()
    engine.cancel(key)
    stage.finished([key])
    took = time.monotonic() - begun
    assert stage.state(key) == "cancelled"
    assert took < 2, f"it took {took:.1f} s"
    return f"cancelled after {took:.1f} s"
