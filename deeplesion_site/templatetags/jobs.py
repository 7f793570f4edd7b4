"""How the progress of long work is written on pages. No tag asks the database."""

from datetime import datetime, timedelta

from django import template
from django.utils import timezone

from workers.models import Job

register = template.Library()

_UNITS = {
    "harvest": "studies",
    "import": "series",
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


@register.filter
def lasted(job: Job) -> str:
    """How long the last attempt took, in words."""
    if not job.started or not job.finished:
        return ""
    seconds = round((job.finished - job.started).total_seconds())
    if seconds < 120:
        return f"{seconds} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def remaining(job: Job, now: datetime) -> timedelta | None:
    """Time for the rest, by the time that this attempt took for what it has done of the unit."""
    done = job.done - (job.counted_from or 0)
    if job.state != Job.State.RUNNING or not job.counted_since or done <= 0 or job.done >= job.total:
        return None
    return (now - job.counted_since) * (job.total - job.done) / done
