"""Every kind of job, each with its worker killed several times at random moments."""

import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command

from datasets.models import Lesion, ReleaseManifest, Slice
from datasets.phantom.hospital import write_hospital
from datasets.services.harvest.order import Order
from detection.models import Detection, Evaluation, TrainingRun
from tests.workers.faults import judge
from tests.workers.faults.stage import LEASE_S, Stage
from workers import engine, harvesting
from workers.models import Job

FEW_STEPS = {"preset": "tiny", "epochs": 2, "batch": 2}


@dataclass
class Killer:
    """Brings a job to its end although its workers are killed."""

    stage: Stage
    kills: int
    choice: random.Random
    done: int = 0

    def through(self, kind: str, params: dict[str, Any]) -> dict[str, Any]:
        """Queue a job, kill its worker several times while it has it, let it finish; return its result."""
        from workers import engine
        from workers.models import Job

        key = engine.enqueue(kind=kind, params=params).pk
        for _ in range(self.kills):
            worker = self.stage.worker()
            self.stage.until(lambda: self.stage.state(key) != "queued", f"{kind} is at work")
            time.sleep(self.choice.uniform(0.0, 2 * LEASE_S))
            self.stage.kill(worker)
            self.done += 1
            if self.stage.state(key) == "succeeded":
                break
        last = self.stage.worker()
        self.stage.finished([key], within_s=400)
        job = Job.objects.get(pk=key)
        assert job.state == "succeeded", f"{kind}: {job.message}\n{self.stage.told()}"
        judge.the_log_tells(job)
        self.stage.kill(last)
        return dict(job.result)


def killed(stage: Stage, kills: int, seed: int = 0) -> str:
    """From harvest to evaluation, every step under kills; then the same harvest undisturbed, to compare."""
    hospital = stage.folder / "hospital"
    write_hospital(hospital, patients=6, seed=7, size=128)
    killer = Killer(stage, kills, random.Random(seed))
    through = killer.through
    through("harvest", _order(hospital, "ours"))
    call_command("release", "create", "ours-1.0", collection="ours", stdout=_Nowhere())
    through("manifest", {"release": "ours-1.0"})
    assert ReleaseManifest.objects.count() == 1
    model = through("bodypart", {"release": "ours-1.0"})["version"]
    _alone(stage, "locate", {"collection": "ours", "model": model})
    through("locate", {"collection": "ours", "model": model})
    run = TrainingRun.objects.get(pk=through("train", {"release": "ours-1.0", **FEW_STEPS})["run"])
    assert (run.state, run.step) == (TrainingRun.State.TRAINED, run.steps)
    evaluation = Evaluation.objects.get(pk=through("evaluate", {"run": run.pk})["evaluation"])
    lines = (settings.DATA_DIR / evaluation.folder / "detections.csv").read_text().splitlines()
    assert len(lines) - 1 == Detection.objects.filter(evaluation=evaluation).count() == evaluation.found
    _undisturbed(stage, hospital)
    judge.no_orphan_file()
    return f"{killer.done} kills in harvest, manifest, bodypart, locate, train, evaluate: each result is there once"


def _order(hospital: Path, collection: str) -> dict[str, Any]:
    return harvesting.params_of(Order(source=f"dir://{hospital / 'dicom'}", collection=collection, context_mm=None))


def _alone(stage: Stage, kind: str, params: dict[str, Any]) -> None:
    """Cancel what follows from the job before, so that it can be asked for under kills."""
    for job in Job.objects.filter(kind=kind, params=params, state="queued"):
        engine.cancel(job.pk)


def _undisturbed(stage: Stage, hospital: Path) -> None:
    """The same harvest without any fault has the same lesions and slices, and every file belongs to a row."""
    stage.worker()
    key = engine.enqueue(kind="harvest", params=_order(hospital, "reference")).pk
    stage.finished([key], within_s=400)

    def of(collection: str) -> tuple[list[Any], list[Any]]:
        def mine(path: str) -> dict[str, str]:
            return {f"{path}patient__collection__slug": collection}

        slices = Slice.objects.filter(**mine("series__study__")).select_related("series__study__patient")
        lesions = Lesion.objects.filter(**mine("slice__series__study__")).select_related(
            "slice__series__study__patient"
        )
        return (
            sorted((each.path, each.sha256) for each in slices),
            sorted((each.slice.path, each.points, each.type, each.merged_into_id is None) for each in lesions),
        )

    assert of("ours") == of("reference")
    for collection in ("ours", "reference"):
        root = Path(settings.DATA_DIR) / "slices" / collection
        files = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
        assert files == [path for path, _ in of(collection)[0]], "files and rows differ"


class _Nowhere:
    """Takes what a command says."""

    def write(self, text: str) -> int:
        return len(text)
