"""Every kind of job, each with its worker killed several times at random moments.

The same work is done twice: undisturbed, which shows how long each job takes and what comes of it, and under kills.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command

from datasets.models import Lesion, Release, ReleaseManifest, Slice
from datasets.services.harvest.order import Order
from detection.models import Detection, Evaluation, TrainingRun
from tests.datasets import tables
from tests.workers.faults import judge
from tests.workers.faults.stage import LOOK_EVERY_S, Stage
from workers import engine, harvesting, kinds
from workers.models import Job

FEW_STEPS = {"preset": "tiny", "epochs": 2, "batch": 2}
FEW_BATCHES = {"preset": "small", "steps": 60}
"""Long enough to be killed in, short enough to be waited for."""
LEARNING = ("torch", "detection.bodypart.model")
"""What locating loads in the worker."""
LONG = ("steps", "series", "images")
"""What the long jobs count."""
WITHIN_S = 400
SHORT = 3

Do = Callable[[str, dict[str, Any]], Job]


@dataclass
class Killer:
    """Brings jobs to their end although their workers are killed."""

    stage: Stage
    load: tuple[str, ...]
    usual: dict[str, float] = field(default_factory=dict)
    """Seconds that a job of each kind takes when nothing disturbs it."""
    hits: dict[str, int] = field(default_factory=dict)

    def undisturbed(self, kind: str, params: dict[str, Any]) -> Job:
        """Let a job be done, and note how long it takes."""
        job = self._through(kind, params, kills=0)
        assert job.started is not None
        assert job.finished is not None
        self.usual[kind] = (job.finished - job.started).total_seconds()
        return job

    def killed(self, kills: int) -> Do:
        """What kills the worker of a job several times while it has it."""

        def through(kind: str, params: dict[str, Any]) -> Job:
            return self._through(kind, params, kills)

        return through

    def _through(self, kind: str, params: dict[str, Any], kills: int) -> Job:
        job = engine.enqueue(kind=kind, params=params)
        begun = job.attempt
        self.hits.setdefault(kind, 0)
        while True:
            worker = self.stage.worker(queues=job.queue, load=self.load)
            if self.hits[kind] >= kills:
                break
            begun = self._begun_after(begun, job)
            self._reached(self.stage.choice.uniform(0.0, 1.0), job)
            if not job.unfinished:
                # Too late: the next of its kind is killed sooner.
                self.usual[kind] /= 2
                break
            self.stage.kill(worker)
            job.refresh_from_db()
            self.hits[kind] += job.unfinished
        self.stage.finished([job.pk], WITHIN_S)
        job.refresh_from_db()
        assert job.state == "succeeded", f"{kind}: {job.message}\n{self.stage.told()}"
        judge.the_log_tells(job)
        self.stage.clear()
        return job

    def _reached(self, part: float, job: Job) -> None:
        """Wait until a part of the usual time is over, or of what takes most of it: the machine may be idle now."""
        end = time.monotonic() + part * self.usual[job.kind]
        job.refresh_from_db()
        while job.unfinished and time.monotonic() < end and not (job.unit in LONG and job.done > part * job.total):
            time.sleep(LOOK_EVERY_S)
            job.refresh_from_db()

    def _begun_after(self, attempt: int, job: Job) -> int:
        """Wait until a further attempt has begun; give its number."""

        def begun() -> bool:
            job.refresh_from_db()
            return job.attempt > attempt or not job.unfinished

        self.stage.until(begun, f"{job} is at work", WITHIN_S)
        return job.attempt


def killed(stage: Stage, kills: int, learning: bool = True) -> str:
    """From harvest to evaluation, every step undisturbed, and then under kills: the same comes of it."""
    hospital, table = stage.hospital(6 if learning else 3), stage.folder / "published"
    download(table, rows=9)
    killer = Killer(stage, LEARNING if learning else ())
    work = [_dataset, _learn] if learning else [partial(_dataset, times=1)]
    expected = [each(killer.undisturbed, "undisturbed", hospital, table) for each in work]
    killer.hits.clear()
    found = [each(killer.killed(kills), "killed", hospital, table) for each in work]
    assert found == expected
    stage.worker()
    stage.finished()
    stage.clear()
    judge.no_orphan_file()
    if learning:
        assert set(killer.hits) == {kind.name for kind in kinds.ALL}, "a kind of job is missing here"
        assert all(killer.hits.values()), f"no kill came in time: {killer.hits}"
    stage.kills = sum(killer.hits.values())
    return "each result is there once and as without kills; " + ", ".join(
        f"{kind} {hits}" for kind, hits in killer.hits.items()
    )


def _dataset(do: Do, name: str, hospital: Path, table: Path, times: int = SHORT) -> dict[str, Any]:
    """Harvest a hospital, import a download, publish both; give what is to be the same each time."""
    order = Order(source=f"dir://{hospital}", collection=name, context_mm=20.0)
    do("harvest", harvesting.params_of(order))
    # Some jobs are over so soon that a kill may come too late, so there are several.
    for number in range(times):
        own, other = f"{name}-1.{number}", f"{name}-table-{number}"
        do("curate", {"collection": name})
        call_command("release", "create", own, collection=name, stdout=StringIO())
        do("manifest", {"release": own})
        do("export", {"release": own})
        paths = {"table": str(table / "DL_info.csv"), "images": str(table / "Images_png")}
        do("import", {**paths, "collection": other, "copy": True})
        do("release", {"release": other, "collection": other})
    packed = sorted(path.name.removeprefix(name) for path in settings.DATA_DIR.rglob(f"{name}-1.*.zip"))
    manifests = ReleaseManifest.objects.filter(release__collection__slug=name)
    releases = Release.objects.filter(collection__slug__startswith=f"{name}-table").order_by("pk")
    return {
        **harvested(name),
        "packed": packed,
        "manifests": list(manifests.order_by("release").values_list("files", "bytes")),
        "releases": [(each.state, each.members.count(), each.patients.count()) for each in releases],
    }


def _learn(do: Do, name: str, hospital: Path, table: Path) -> dict[str, Any]:
    """Locate the lesions of a release, train a detector on it, evaluate it; give what is to be the same each time."""
    release = f"{name}-1.0"
    model = do("bodypart", {"release": release, **FEW_BATCHES}).result["version"]
    do("locate", {"collection": name, "model": model})
    run = TrainingRun.objects.get(pk=do("train", {"release": release, **FEW_STEPS}).result["run"])
    evaluation = Evaluation.objects.get(pk=do("evaluate", {"run": run.pk}).result["evaluation"])
    lines = (settings.DATA_DIR / evaluation.folder / "detections.csv").read_text().splitlines()
    assert len(lines) - 1 == Detection.objects.filter(evaluation=evaluation).count() == evaluation.found
    assert run.evaluations.count() == 1
    located = Lesion.objects.exclude(location_source="").filter(slice__series__study__patient__collection__slug=name)
    return {"trained": (run.state, run.step == run.steps, run.steps), "located": located.count()}


def harvested(collection: str) -> dict[str, Any]:
    """Slices and lesions of a collection; every file of it belongs to a slice."""
    slices = Slice.objects.filter(series__study__patient__collection__slug=collection)
    lesions = Lesion.objects.filter(slice__series__study__patient__collection__slug=collection)
    hashes = sorted((each.path, each.sha256) for each in slices.select_related("series__study__patient"))
    root = Path(settings.DATA_DIR) / "slices" / collection
    files = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
    assert files == [path for path, _ in hashes], "files and rows differ"
    return {
        "slices": hashes,
        "lesions": sorted(
            (each.slice.path, each.points, each.type, each.merged_into_id is None)
            for each in lesions.select_related("slice__series__study__patient")
        ),
    }


def download(folder: Path, rows: int) -> None:
    """A download as DeepLesion's with patients in each split, a row and an image of each."""
    folder.mkdir()
    made = [tables.row(number, split=1 + number % 3) for number in range(1, rows + 1)]
    tables.write(folder / "DL_info.csv", made)
    for row in made:
        tables.draw(folder / "Images_png", row.folder, row.slice, seed=row.patient)
