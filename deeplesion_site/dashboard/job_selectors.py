"""Read queries over jobs."""

from pathlib import Path

from django.conf import settings
from django.db.models import QuerySet

from datasets.models import Collection
from detection.models import TrainingRun
from detection.services.runs import OPTIONS
from workers.kinds import bodypart, evaluate, locate, manifest, train
from workers.models import Job, JobEvent
from workers.supervise import tail
from workers.training import LOG


def listed() -> QuerySet[Job]:
    """All jobs with their owners, newest first."""
    return Job.objects.select_related("owner").order_by("-id")


def get(pk: int) -> Job | None:
    """One job."""
    return Job.objects.select_related("owner").filter(pk=pk).first()


def events(job: Job, limit: int) -> list[JobEvent]:
    """The latest lines of a job's log, in their order."""
    return list(job.events.order_by("-id")[:limit])[::-1]


def manifest_job(release: str) -> Job | None:
    """The latest job that prepares the downloads of a release."""
    return Job.objects.filter(kind=manifest.KIND.name, params__release=release).order_by("-id").first()


def locating_job() -> Job | None:
    """The latest job on the way to locations in the body."""
    return Job.objects.filter(kind__in=(bodypart.KIND.name, locate.KIND.name)).order_by("-id").first()


def run_of(job: Job) -> TrainingRun | None:
    """The run that a job trains or evaluates; None where it has not begun."""
    runs = TrainingRun.objects.defer("curve").order_by("-id")
    if job.kind == evaluate.KIND.name:
        return runs.filter(pk=job.params.get("run")).first()
    if job.kind != train.KIND.name:
        return None
    if "run" in job.result:
        return runs.filter(pk=job.result["run"]).first()
    same = {name: job.params[name] for name in ("release", "preset", "seed", "fraction") if name in job.params}
    if job.params.get("weights"):
        same["start_weights"] = job.params["weights"]
    options = {name: job.params[name] for name in sorted(OPTIONS) if job.params.get(name)}
    return runs.filter(**same, options=options).first()


def log_tail(run: TrainingRun | None) -> str:
    """The end of what the training program has written."""
    return "" if run is None else tail(Path(settings.DATA_DIR) / run.folder / LOG)


def is_hospital(slug: str) -> bool:
    """Whether a collection is there and comes from harvests."""
    return Collection.objects.filter(slug=slug, kind=Collection.Kind.HOSPITAL).exists()
