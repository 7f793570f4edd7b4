"""Read queries over jobs."""

from pathlib import Path

from django.conf import settings
from django.db.models import QuerySet

from datasets.models import Collection, LocationModel, Release
from detection.models import Evaluation, TrainingRun
from detection.presets import PAPER
from detection.services.runs import OPTIONS, chosen_options
from workers.bodypart import log_of
from workers.kinds import bodypart, evaluate, locate, manifest, train
from workers.models import Job, JobEvent
from workers.programs import LOG
from workers.supervise import tail


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
    asked = {name: job.params[name] for name in OPTIONS if name in job.params}
    options = chosen_options(job.params.get("preset", PAPER.name), asked)
    return runs.filter(**same, options=options).first()


def is_interrupted(run: TrainingRun) -> bool:
    """Whether a run that has begun waits for the next attempt of its job: a worker was lost, or gave it back."""
    if run.state != TrainingRun.State.TRAINING:
        return False
    unfinished = Job.objects.filter(kind=train.KIND.name, state__in=Job.UNFINISHED, params__release=run.release)
    states = [job.state for job in unfinished if run_of(job) == run]
    return bool(states) and not set(states) & set(Job.HELD)


def between_attempts(lines: list[JobEvent]) -> bool:
    """Whether the last line of a job's log is that nobody has it any more, and somebody will."""
    return bool(lines) and lines[-1].kind in (JobEvent.Kind.WORKER_LOST, JobEvent.Kind.HANDED_BACK)


def log_tail(job: Job) -> str:
    """The end of what the programs of a job have written; empty for a job without any."""
    path = _log(job)
    return "" if path is None else tail(path)


def _log(job: Job) -> Path | None:
    if job.kind == bodypart.KIND.name:
        return log_of(job.pk, job.result.get("version", ""))
    if job.kind == evaluate.KIND.name:
        evaluation = evaluation_of(job)
        return None if evaluation is None else Path(settings.DATA_DIR) / evaluation.folder / LOG
    run = run_of(job)
    return None if run is None else Path(settings.DATA_DIR) / run.folder / LOG


def evaluation_of(job: Job) -> Evaluation | None:
    """The evaluation that a job computes; None where it has not begun."""
    return Evaluation.objects.defer("report").filter(**job.params).first()


def evaluating_job(evaluation: Evaluation) -> Job | None:
    """The unfinished job that computes an evaluation."""
    names = ("checkpoint", "split", "convention", "iou")
    same = {f"params__{name}": getattr(evaluation, name) for name in names}
    unfinished = Job.objects.filter(kind=evaluate.KIND.name, state__in=Job.UNFINISHED)
    return unfinished.filter(params__run=evaluation.run_id, **same).order_by("id").first()


def is_hospital(slug: str) -> bool:
    """Whether a collection is there and comes from harvests."""
    return Collection.objects.filter(slug=slug, kind=Collection.Kind.HOSPITAL).exists()


def is_published(name: str) -> bool:
    """Whether there is a published release of a name."""
    return Release.objects.filter(name=name, state=Release.State.PUBLISHED).exists()


def published_releases() -> list[str]:
    """Names of the published releases, newest first."""
    published = Release.objects.filter(state=Release.State.PUBLISHED).order_by("-id")
    return list(published.values_list("name", flat=True))


def collections() -> list[tuple[str, str]]:
    """Short names and titles of all collections."""
    return list(Collection.objects.order_by("title").values_list("slug", "title"))


def hospitals() -> list[tuple[str, str]]:
    """Short names and titles of the collections that come from harvests."""
    harvested = Collection.objects.filter(kind=Collection.Kind.HOSPITAL)
    return list(harvested.order_by("title").values_list("slug", "title"))


def location_models() -> list[str]:
    """Versions of the body-part regressors, newest first."""
    return list(LocationModel.objects.order_by("-id").values_list("version", flat=True))


def trained_runs() -> list[tuple[str, str]]:
    """Numbers of the trained runs and what they are, newest first."""
    trained = TrainingRun.objects.filter(state=TrainingRun.State.TRAINED).order_by("-id")
    return [(str(run.pk), f"{run.pk}: {run.preset} on {run.release}") for run in trained.defer("curve")]
