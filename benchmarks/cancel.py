"""How long a job goes on after somebody asks for its end, in the middle of what it cannot stop in by itself.

A step of the paper's detector takes a processor many seconds, an image of the one with nine slices two; nothing
inside them looks at whether the work is still wanted.
"""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.result import Result

if TYPE_CHECKING:
    from tests.workers.faults.stage import Stage
    from workers.models import Job

AT_MOST = 2.0
LEASE_S = 60.0
"""As by default."""
INTO_STEP_S = 3.0
PATIENTS = 150
"""Of the release that the regressor learns from: enough for its scoring to be met at work."""

Met = Callable[["Job"], bool]


def run() -> Iterator[Result]:
    """Measure in a process of its own, which has a database, a broker and a worker."""
    root = Path(__file__).resolve().parent.parent
    command = [sys.executable, "-m", "benchmarks.cancel"]
    program = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)
    assert program.stdout is not None
    for line in program.stdout:
        if line.startswith("{"):
            measured = json.loads(line)
            what = "s until the job has ended and nothing of it runs"
            yield Result(f"Cancel: {measured['name']}", measured["seconds"], what, at_most=AT_MOST)
    if program.wait():
        raise subprocess.CalledProcessError(program.returncode, command)


def _measure() -> None:
    from tests.workers.faults.stage import open_stage

    with open_stage("embedded", LEASE_S) as stage:
        stage.worker()
        for name, kind, params, met in _cases(stage):
            print(json.dumps({"name": name, "seconds": _cancelled(stage, kind, params, met)}), flush=True)


def _cancelled(stage: "Stage", kind: str, params: dict[str, Any], met: Met) -> float:
    """Start a job, cancel it once it is met where it shall be, and wait for its end; returns the seconds."""
    from workers import engine
    from workers.models import Job

    key = engine.enqueue(kind=kind, params=params).pk

    def found() -> bool:
        job = Job.objects.get(pk=key)
        assert job.unfinished, f"{kind} ended before it was cancelled: {job.message}"
        return met(job)

    stage.until(found, f"{kind} is at work", 600.0)
    begun = time.monotonic()
    engine.cancel(key)
    stage.finished([key])
    stage.until(lambda: not _programs(stage.folder), "its programs are gone")
    seconds = time.monotonic() - begun
    assert stage.state(key) == "cancelled", stage.state(key)
    return seconds


def _programs(folder: Path) -> list[str]:
    """Modules that work below a folder beside the worker."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if "-m" in words and any(str(folder) in word for word in words):
            found.append(words[words.index("-m") + 1])
    return found


def _cases(stage: "Stage") -> Iterator[tuple[str, str, dict[str, Any], Met]]:
    """What is cancelled, and where."""
    from datasets.services.harvest.order import Order
    from workers import harvesting

    hospital = Order(source=f"dir://{stage.hospital(6)}", collection="cancelled")
    yield "harvest of a folder", "harvest", harvesting.params_of(hospital), lambda job: job.done >= 1
    with socket.create_server(("127.0.0.1", 0)) as silent:
        order = Order(source=f"dicomweb+http://127.0.0.1:{silent.getsockname()[1]}/root", collection="cancelled")
        yield "harvest of a server that hangs", "harvest", harvesting.params_of(order), _for(INTO_STEP_S)
    _columns()
    bodies = {"release": "columns-1.0", "steps": 100}
    yield "regressor, learning", "bodypart", bodies, lambda job: job.unit == "steps" and job.done >= 10
    yield "regressor, scoring", "bodypart", bodies, lambda job: job.unit == "series scored"
    measured = {**bodies, "steps": 20, "phantom": 10}
    yield "regressor, measuring", "bodypart", measured, lambda job: job.unit.startswith("phantom")
    _download(stage.folder / "download")
    trained = _trained()
    yield "evaluation of nine slices", "evaluate", {"run": trained}, lambda job: job.done >= 1
    paper = {"release": "images-1.0", "preset": "paper", "weights": "random"}
    yield "detector, loading", "train", paper, lambda job: job.unit == "steps"
    yield "detector of the paper, in a step", "train", paper, _in_a_step()


def _for(seconds: float) -> Met:
    """So long after it was first looked at."""
    first: list[float] = []

    def met(job: "Job") -> bool:
        if job.state == "running" and not first:
            first.append(time.monotonic())
        return bool(first) and time.monotonic() - first[0] >= seconds

    return met


def _in_a_step() -> Met:
    from django.conf import settings

    from detection.models import TrainingRun

    into = _for(INTO_STEP_S)

    def met(job: "Job") -> bool:
        run = TrainingRun.objects.get(preset="paper")
        # What it starts from is kept just before the first step.
        return (Path(settings.DATA_DIR) / run.folder / "checkpoint.pt").is_file() and into(job)

    return met


def _columns() -> None:
    """A release of made-up bodies, as it lies there once it was exported."""
    from django.conf import settings

    from tests import factories
    from tests.detection.bodypart.columns import write_release

    factories.make_release(name="columns-1.0")
    folder = Path(settings.DATA_DIR) / "exports" / "columns-1.0"
    folder.mkdir(parents=True)
    names = [f"{patient:06d}_01_01" for patient in range(1, PATIENTS + 1)]
    write_release(folder, {name: range(41) for name in names}, sources=["phantom"])


def _download(folder: Path) -> None:
    """A release of a download with patients in each split."""
    from datasets.services.import_deeplesion import import_deeplesion
    from tests.datasets import tables

    folder.mkdir()
    rows = [tables.row(number, split=1 + number % 3) for number in range(1, 61)]
    tables.write(folder / "DL_info.csv", rows)
    for row in rows:
        tables.draw(folder / "Images_png", row.folder, row.slice, seed=row.patient)
    import_deeplesion(folder / "DL_info.csv", images=folder / "Images_png", copy=True, release="images-1.0")


def _trained() -> int:
    """A run whose detector has nine slices and has learned nothing; gives its number."""
    from django.conf import settings

    from detection.data.release import open_release
    from detection.models import TrainingRun
    from detection.network.detector import Detector
    from detection.presets import CONTEXT
    from detection.services import runs
    from detection.training import settings as files
    from detection.training.checkpoint import Keeper
    from detection.training.optimizer import make_optimizer
    from workers.exported import exported

    release = open_release(exported("images-1.0", lambda done, total: None))
    row = runs.run_request(release=release.name, preset="context", weights="random")
    folder = Path(settings.DATA_DIR) / row.folder
    files.write(folder, files.Settings(CONTEXT, release.name, release.sha256))
    network = Detector(CONTEXT)
    Keeper(folder, CONTEXT, network, make_optimizer(network, CONTEXT.training)).keep(0, {})
    runs.run_begin(row, device="CPU", code_version="", torch_version="")
    row = runs.run_end(
        row, state=TrainingRun.State.TRAINED, seconds=1.0, steps=1, release_sha256=release.sha256,
        weights="random", checkpoint=f"{row.folder}/checkpoint.pt",
    )  # fmt: skip
    return row.pk


if __name__ == "__main__":
    _measure()
