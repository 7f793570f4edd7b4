"""How the progress of long work is written on pages. No tag asks the database."""

from datetime import datetime, timedelta

from django import template
from django.utils import timezone

from workers.models import Job

register = template.Library()

_UNITS = {
    "harvest": "studies",
    "manifest": "slices",
    "bodypart": "steps",
    "locate": "series",
}


@register.filter
def unit(job: Job) -> str:
    """What the job counts."""
    return job.unit or _UNITS.get(job.kind, "")


@register.filter
def time_left(job: Job) -> str:
    """How long the rest takes if it goes on as until now, in words; nothing where that cannot be said."""
    left = remaining(job, timezone.now())
    if left is None:
        return ""
    minutes = round(left.total_seconds() / 60)
    if minutes < 1:
        return "less than a minute left"
    if minutes < 90:
        return f"about {minutes} min left"
    return f"about {minutes / 60:.0f} h left"


def remaining(job: Job, now: datetime) -> timedelta | None:
    """Time for the rest, by the time that the part done took."""
    if job.state != Job.State.RUNNING or not job.started or not 0 < job.done < job.total:
        return None
    return (now - job.started) * (job.total - job.done) / job.done
