"""Read queries over jobs."""

from workers.kinds import bodypart, locate, manifest
from workers.models import Job


def newest(limit: int) -> list[Job]:
    """The latest jobs, newest first."""
    return list(Job.objects.select_related("owner").order_by("-id")[:limit])


def get(pk: int) -> Job | None:
    """One job."""
    return Job.objects.select_related("owner").filter(pk=pk).first()


def manifest_job(release: str) -> Job | None:
    """The latest job that prepares the downloads of a release."""
    return Job.objects.filter(kind=manifest.KIND.name, params__release=release).order_by("-id").first()


def locating_job() -> Job | None:
    """The latest job on the way to locations in the body."""
    return Job.objects.filter(kind__in=(bodypart.KIND.name, locate.KIND.name)).order_by("-id").first()
