"""What `benchmarks.cancel` cancels: every kind of job, in the middle of what takes it longest."""

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from tests.workers.faults.stage import Stage
    from workers.models import Job

INTO_STEP_S = 3.0
PATIENTS = 150
"""Of the release that the regressor learns from: enough for its scoring to be met at work."""
FEW, MANY = 60, 3000
"""Key images of the downloads; of the larger one every step takes long enough to be met."""

Met = Callable[["Job"], bool]


class Case(NamedTuple):
    """A job, and what says that it is where it shall be cancelled."""

    name: str
    kind: str
    params: dict[str, Any]
    met: Met


def cases(stage: "Stage") -> Iterator[Case]:
    """One after the other; what a case needs is made just before it."""
    yield from _of_data(stage)
    yield from _of_harvests(stage)
    yield from _of_regressors()
    yield from _of_detectors(stage)


def _of_data(stage: "Stage") -> Iterator[Case]:
    """First of all, as locating is to find a worker that has not loaded torch."""
    from datasets.models import Collection
    from datasets.services.import_deeplesion import import_deeplesion
    from datasets.services.manifest import prepare

    table, images = _download(stage.folder / "large", MANY)
    paths = {"table": str(table), "images": str(images)}
    yield Case("import, images", "import", {**paths, "collection": "copied", "copy": True}, _counting("series"))
    rows = stage.folder / "rows.csv"
    _write_rows(rows)
    yield Case("import, rows", "import", {"table": str(rows), "collection": "rows"}, _for(1.0, "rows"))
    import_deeplesion(rows, collection="rows")
    yield Case("release, rows", "release", {"release": "rows-1.0", "collection": "rows"}, _for(1.0))
    Collection.objects.filter(slug="rows").update(kind=Collection.Kind.HOSPITAL)
    yield Case("curate", "curate", {"collection": "rows"}, _for(0.2))
    import_deeplesion(table, collection="large", images=images, copy=True)
    yield Case("release, images", "release", {"release": "large-1.0", "collection": "large"}, _counting("slices"))
    import_deeplesion(table, collection="large", images=images, copy=True, release="large-1.0")
    yield Case("manifest", "manifest", {"release": "large-1.0"}, _counting("slices"))
    prepare(release_name="large-1.0")
    yield Case("export", "export", {"release": "large-1.0"}, _counting("files"))
    located = {"collection": "large", "model": _regressor()}
    yield Case("locate, loading", "locate", located, _for(0.0))
    yield Case("locate, scoring", "locate", located, _counting("series"))


def _of_harvests(stage: "Stage") -> Iterator[Case]:
    from datasets.services.harvest.order import Order
    from workers import harvesting

    hospital = Order(source=f"dir://{stage.hospital(6)}", collection="cancelled")
    yield Case("harvest of a folder", "harvest", harvesting.params_of(hospital), lambda job: job.done >= 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        order = Order(source=f"dicomweb+http://127.0.0.1:{silent.getsockname()[1]}/root", collection="cancelled")
        params = harvesting.params_of(order)
        yield Case("harvest of a server that hangs", "harvest", params, _for(INTO_STEP_S))


def _of_regressors() -> Iterator[Case]:
    _columns()
    bodies = {"release": "columns-1.0", "steps": 100}
    yield Case("regressor, learning", "bodypart", bodies, _counting("steps", 10))
    yield Case("regressor, scoring", "bodypart", bodies, _counting("series scored", 0))
    measured = {**bodies, "steps": 20, "phantom": 10}
    yield Case("regressor, measuring", "bodypart", measured, lambda job: job.unit.startswith("phantom"))


def _of_detectors(stage: "Stage") -> Iterator[Case]:
    from datasets.services.import_deeplesion import import_deeplesion

    table, images = _download(stage.folder / "download", FEW)
    import_deeplesion(table, images=images, copy=True, release="images-1.0")
    yield Case("evaluation of nine slices", "evaluate", {"run": _trained()}, lambda job: job.done >= 1)
    paper = {"release": "images-1.0", "preset": "paper", "weights": "random"}
    yield Case("detector, loading", "train", paper, _counting("steps", 0))
    yield Case("detector of the paper, in a step", "train", paper, _in_a_step())


def _counting(unit: str, done: int = 1) -> Met:
    """It counts this unit, and has done so many."""
    return lambda job: job.unit == unit and job.done >= done


def _for(seconds: float, unit: str = "") -> Met:
    """So long after it was first met at work, or counting this unit."""
    first: list[float] = []

    def met(job: "Job") -> bool:
        if job.state == "running" and unit in ("", job.unit) and not first:
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


def _download(folder: Path, patients: int) -> tuple[Path, Path]:
    """A download with patients in each split, a key image of each; gives its table and its images."""
    from tests.datasets import tables

    folder.mkdir()
    rows = [tables.row(number, split=1 + number % 3) for number in range(1, patients + 1)]
    for row in rows:
        tables.draw(folder / "Images_png", row.folder, row.slice, seed=row.patient)
    return tables.write(folder / "DL_info.csv", rows), folder / "Images_png"


def _write_rows(path: Path) -> None:
    """As many rows as the published DeepLesion has."""
    from benchmarks.import_rows import ROWS, write_rows

    write_rows(path, ROWS)


def _regressor() -> str:
    """A regressor that has learned nothing; gives its version."""
    import torch

    from datasets.models import LocationModel
    from detection.bodypart.anchor import Anchor
    from detection.bodypart.familiar import learn
    from detection.bodypart.model import Model, save_model
    from detection.bodypart.network import Regressor
    from detection.bodypart.settings import PRESETS
    from workers import bodypart

    preset = PRESETS["small"]
    network = Regressor(preset.channels, preset.depth).eval()
    with torch.inference_mode():
        features = network.features(torch.randint(0, 256, (32, preset.size, preset.size), dtype=torch.uint8))
    model = Model(network, preset, Anchor(1.0, 0.0, "median", 0), learn(features, features), (0.0, 1.0), {})
    folder = bodypart.folder_of(model.version)
    folder.mkdir(parents=True)
    save_model(model, folder / bodypart.MODEL_FILE)
    return LocationModel.objects.create(version=model.version, trained_on="nothing").version


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
    Keeper(folder, CONTEXT, network, make_optimizer(network, CONTEXT.training), steps=1).keep(1, {})
    runs.run_begin(row, device="CPU", code_version="", torch_version="")
    row = runs.run_end(
        row, state=TrainingRun.State.TRAINED, seconds=1.0, steps=1, release_sha256=release.sha256,
        weights="random", checkpoint=f"{row.folder}/checkpoint.pt",
    )  # fmt: skip
    return row.pk
