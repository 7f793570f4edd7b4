"""Jobs of three kinds at the same time on one database and one data folder; the worker of one of them is killed."""

import os
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from datasets.services.harvest.order import Order
from tests.workers.faults import judge
from tests.workers.faults.every_kind import download, harvested
from tests.workers.faults.stage import Stage, Worker
from workers import engine, harvesting
from workers.models import Job

QUEUES = ("io", "io", "cpu")
"""Of the workers: one harvests, one imports, one curates."""
IMAGES = 150


def one_is_killed(stage: Stage, victims: tuple[str, ...] = ("harvest", "import")) -> str:
    """Harvest, import and curate side by side: the same comes of all, whichever worker is killed meanwhile."""
    table = stage.folder / "larger-download"
    download(table, rows=IMAGES)
    workers = [stage.worker(queues=queue) for queue in QUEUES]
    alone = _begin(stage, "alone", table)
    _finished(stage, alone.values())
    expected, broken_off, curated = _made("alone"), 0, 0
    usual = {kind: _seconds(Job.objects.get(pk=key)) for kind, key in alone.items()}
    for victim in victims:
        keys = _begin(stage, f"without-{victim}", table)
        has_begun = Job.objects.filter(pk=keys[victim], attempt=1)
        stage.until(has_begun.exists, f"the {victim} is at work")
        time.sleep(stage.choice.uniform(0.0, usual[victim] / 2))
        killed = _worker_of(has_begun.get(), workers)
        stage.kill(killed)
        broken_off += has_begun.get().unfinished
        workers[workers.index(killed)] = stage.worker(queues="io")
        again = _curated_until(stage, keys.values())
        curated += len(again)
        _finished(stage, {*keys.values(), *again})
        assert _made(f"without-{victim}") == expected
        others = {*keys.values(), *again} - {keys[victim]}
        assert set(Job.objects.filter(pk__in=others).values_list("attempt", flat=True)) == {1}
    judge.no_orphan_file()
    return f"{broken_off} of {len(victims)} broken off and done by another worker, beside {curated} curations"


def _begin(stage: Stage, name: str, table: Path) -> dict[str, int]:
    """Ask for a harvest and an import into collections of these names; give the jobs' keys by kind."""
    order = Order(source=f"dir://{stage.hospital()}", collection=name, context_mm=20.0)
    paths = {"table": str(table / "DL_info.csv"), "images": str(table / "Images_png")}
    asked: dict[str, dict[str, Any]] = {
        "harvest": harvesting.params_of(order),
        "import": {**paths, "collection": f"{name}-table", "copy": True},
    }
    return {kind: engine.enqueue(kind=kind, params=params).pk for kind, params in asked.items()}


def _curated_until(stage: Stage, keys: Collection[int]) -> set[int]:
    """Curate what was harvested before, again and again until jobs are finished; give the keys of those that did."""
    unfinished = Job.objects.filter(pk__in=keys, state__in=Job.UNFINISHED)
    curations = set()

    def over() -> bool:
        # Asked for again while it is unfinished, it is the same job.
        curations.add(engine.enqueue(kind="curate", params={"collection": "alone"}).pk)
        return not unfinished.exists()

    stage.until(over, "harvest and import are finished")
    return curations


def _finished(stage: Stage, keys: Collection[int]) -> None:
    stage.finished(list(keys))
    for job in Job.objects.filter(pk__in=keys):
        assert job.state == Job.State.SUCCEEDED, f"{job}: {job.message}\n{stage.told()}"
        judge.the_log_tells(job)


def _made(name: str) -> list[dict[str, Any]]:
    return [harvested(collection) for collection in (name, f"{name}-table")]


def _seconds(job: Job) -> float:
    assert job.started is not None
    assert job.finished is not None
    return (job.finished - job.started).total_seconds()


def _worker_of(job: Job, workers: list[Worker]) -> Worker:
    """The worker whose process has a job."""
    group = os.getpgid(int(job.worker.rpartition(":")[2]))
    return next(worker for worker in workers if worker.pid == group)
