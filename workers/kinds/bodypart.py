"""Train the body-part regressor on a release; the lesions of its collection are located next."""

import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from django.conf import settings

from datasets.models import LocationModel
from detection.bodypart.settings import PRESETS
from workers.exported import exported, published
from workers.kind import Kind
from workers.models import Job
from workers.params import Params, ReleaseName, Within
from workers.run import Run

MODEL_FILE = "model.pt"


@dataclass(frozen=True)
class BodypartParams(Params):
    release: ReleaseName
    preset: str = "small"
    phantom: Annotated[int, Within(0, 1000)] = 0
    """Of a release of phantom patients: so many new ones to measure the accuracy on."""

    def mistakes(self) -> Iterator[tuple[str, str]]:
        if self.preset not in PRESETS:
            yield "preset", f"preset must be one of {', '.join(sorted(PRESETS))}."


def train(params: BodypartParams, run: Run) -> dict[str, Any]:
    """Train the regressor and keep it under its version."""
    # Torch is large: a worker that never trains never loads it.
    from detection.bodypart.training import train as learn
    from workers.phantom_check import check

    release = published(params.release)
    folder_on_disk = exported(release.name, partial(run.progress, unit="slices"))
    out = run.folder / "run"
    progress = partial(run.progress, unit="steps")
    model = learn(folder_on_disk, out, preset=PRESETS[params.preset], seed=0, progress=progress)
    folder = folder_of(model.version)
    facts = {**model.record, "anchor": asdict(model.anchor), "known": model.known}
    if params.phantom:
        facts["phantom"] = check(
            model.score, patients=params.phantom, progress=partial(run.progress, unit="phantom patients measured")
        )
    with run.fence():
        known, new = LocationModel.objects.get_or_create(
            version=model.version, defaults={"trained_on": release.name, "facts": facts}
        )
        if not new:
            # The same model, trained again: what was measured of it since is added.
            known.facts |= facts
            known.save(update_fields=["facts"])
        if not folder.exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            out.replace(folder)
    shutil.rmtree(run.folder)
    run.then("locate", {"collection": release.collection.slug, "model": model.version})
    return {"version": model.version, **{key: value for key, value in model.record.items() if _plain(value)}}


def folder_of(version: str) -> Path:
    """Where a model and the record of its training lie."""
    return Path(settings.DATA_DIR) / "bodypart" / version


def _plain(value: Any) -> bool:
    return isinstance(value, str | int | float)


KIND = Kind("bodypart", "train body-part regressor", Job.Queue.GPU, BodypartParams, train)
