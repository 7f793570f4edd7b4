"""Jobs of the body-part regressor: train it on a release, and locate lesions with it."""

import shutil
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings

from datasets.models import Collection, LocationModel, Release
from datasets.services.errors import Refused
from datasets.services.export import export
from datasets.services.locate import locate
from workers import engine

MODEL_FILE = "model.pt"


class NothingToLocate(Refused):
    """No such release, collection or model."""


def train_bodypart(params: dict[str, Any], progress: engine.Progress) -> dict[str, Any]:
    """Train the regressor on a release and keep it under its version.

    With `phantom`, a number of patients, its accuracy is measured on so many of the phantom hospital's kind.
    """
    # Torch is large: a worker that never trains never loads it.
    from detection.bodypart.settings import PRESETS
    from detection.bodypart.training import train
    from workers.phantom_check import check

    release = Release.objects.select_related("collection").filter(name=params["release"]).first()
    if release is None:
        raise NothingToLocate(f"there is no release {params['release']}")
    exported = settings.DATA_DIR / "training" / release.name
    if not exported.is_dir():
        export(release, exported, link=True)
    run = settings.DATA_DIR / "bodypart" / f"run-{release.name}-{params['preset']}"
    model = train(exported, run, preset=PRESETS[params["preset"]], seed=0, progress=progress)
    folder = folder_of(model.version)
    if not folder.exists():
        run.replace(folder)
    shutil.rmtree(exported, ignore_errors=True)
    facts = {**model.record, "anchor": asdict(model.anchor), "known": model.known}
    if params.get("phantom"):
        facts["phantom"] = check(model.score, patients=params["phantom"])
    LocationModel.objects.get_or_create(version=model.version, defaults={"trained_on": release.name, "facts": facts})
    return {"version": model.version, **{key: value for key, value in model.record.items() if _plain(value)}}


def locate_lesions(params: dict[str, Any], progress: engine.Progress) -> dict[str, Any]:
    """Locate the lesions of a collection with a model."""
    from detection.bodypart.model import load_model

    collection = Collection.objects.filter(slug=params["collection"]).first()
    record = LocationModel.objects.filter(version=params["model"]).first()
    if collection is None or record is None:
        raise NothingToLocate(f"there is no collection {params['collection']} or no model {params['model']}")
    model = load_model(folder_of(record.version) / MODEL_FILE)
    score = partial(model.score, version=record.version)
    return dict(locate(collection=collection, model=record, score=score, progress=progress))


def folder_of(version: str) -> Path:
    """Where a model and the record of its training lie."""
    return Path(settings.DATA_DIR) / "bodypart" / version


def _plain(value: Any) -> bool:
    return isinstance(value, str | int | float)
