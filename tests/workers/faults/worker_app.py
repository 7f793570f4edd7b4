"""The Celery application of the workers under test: the site's, with a kind that leaves traces and a bare task."""

import django

from deeplesion_site.celery import app

django.setup()

from tests.workers.faults import work  # noqa: E402 (models need the setup)

work.make_known()


@app.task(name="bare")
def bare(number: int) -> None:
    """What a job is compared with: a task that leaves its trace and is nothing else."""
    work.leave_trace(number)


__all__ = ["app"]
