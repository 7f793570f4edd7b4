"""What must hold after every fault: one result, no lost job, nothing twice, no orphan file, and the log tells."""

from pathlib import Path

from django.conf import settings

from datasets.models import Collection
from deeplesion_site.upkeep import check_files
from workers.models import Job, JobEvent

ENDS = {JobEvent.Kind.SUCCEEDED, JobEvent.Kind.FAILED, JobEvent.Kind.CANCELLED}


def one_result_each(keys: list[int], steps: int) -> None:
    """Every job has succeeded once, with all its steps done once, and its log tells of it."""
    for job in Job.objects.filter(pk__in=keys):
        assert job.state == Job.State.SUCCEEDED, f"{job} has {job.state}: {job.message}"
        assert job.result == {"steps": steps}, job.result
        rows = Collection.objects.filter(slug__startswith=f"job-{job.params['number']}-step-").count()
        assert rows == steps, f"{job} has {rows} rows instead of {steps}"
    assert Job.objects.filter(pk__in=keys).count() == len(keys), "a job is gone"
    for key in keys:
        the_log_tells(Job.objects.get(pk=key))
    no_orphan_file()


def the_log_tells(job: Job) -> None:
    """Every attempt began and ended in the log, and the job ended once."""
    kinds = list(job.events.values_list("kind", flat=True))
    assert kinds[0] == JobEvent.Kind.QUEUED, kinds
    assert kinds[-1] == job.state, kinds
    assert sum(kind in ENDS for kind in kinds) == 1, kinds
    assert kinds.count(JobEvent.Kind.STARTED) == job.attempt, kinds
    broken_off = sum(
        kinds.count(kind) for kind in (JobEvent.Kind.WORKER_LOST, JobEvent.Kind.HANDED_BACK, JobEvent.Kind.RETRIED)
    )
    assert broken_off == max(job.attempt - 1, 0), kinds


def no_orphan_file() -> None:
    """No file is left that no row knows, nor a half-written one."""
    no_half_written_file()
    orphans = list(check_files.orphans())
    assert not orphans, f"files are left that no row knows: {orphans}"


def no_half_written_file() -> None:
    """No half-written file is left anywhere."""
    left = [path for path in Path(settings.DATA_DIR).rglob(".*") if not path.name.endswith(".lock")]
    assert not left, f"half-written files are left: {left}"


def attempts_begun(key: int) -> int:
    """How often the work of a job was begun, from the file that each attempt writes to."""
    number = Job.objects.get(pk=key).params["number"]
    path = Path(settings.DATA_DIR) / "begun" / str(number)
    return len(path.read_text().splitlines()) if path.is_file() else 0
