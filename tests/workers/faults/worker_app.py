"""The Celery application of the workers under test: the site's, with a kind that leaves traces and a bare task."""

import dataclasses

import django

from deeplesion_site.celery import app
from detection.bodypart.settings import PRESETS

django.setup()

from tests.workers.faults import work  # noqa: E402 (models need the setup)

work.make_known()
# Long enough to be killed in, short enough to be waited for.
PRESETS["small"] = dataclasses.replace(PRESETS["small"], steps=60)


@app.task(name="bare")
def bare(number: int) -> None:
    """What a job is compared with: a task that leaves its trace and is nothing else."""
    work.leave_trace(number)


__all__ = ["app"]
