"""Train a body-part regressor: `python -m detection.bodypart.train` beside us, and its model kept by its version."""

import shutil
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings

from datasets.models import LocationModel, Release
from detection.bodypart import record
from workers import hashes, programs
from workers.exported import alone_in, exported, published
from workers.run import Run

MODEL_FILE, MEASURED = "model.pt", "measured.json"
RUN = "run"
"""Folder of the training, below the job's own."""
KEPT = (MODEL_FILE, record.FACTS, record.METRICS, programs.LOG)
"""What is kept of a training; the rest is for going on with it."""


def train(
    release_name: str, run: Run, *, preset: str, steps: int | None, phantom: int
) -> tuple[Release, dict[str, Any]]:
    """Train, from the newest checkpoint where there is one; keep the model under its version.

    Parameters
    ----------
    steps : instead of the preset's.
    phantom : so many phantom patients are drawn to measure the accuracy on.

    Returns
    -------
    The release, and the facts of the model.

    Raises
    ------
    Refused : the release is not there, or the training gave up.
    """
    release = published(release_name)
    out = run.folder / RUN
    out.mkdir(exist_ok=True)
    with alone_in(run.folder / ".lock"):
        folder = exported(release.name, partial(run.progress, unit="slices"))
        watch = partial(programs.run, folder=out, tick=partial(_tell, run), log=run.log)
        watch(training(folder, out, preset=preset, steps=steps))
        facts = record.read(out)
        if phantom:
            watch(measuring(out, patients=phantom))
            facts["phantom"] = programs.read(out / MEASURED)
        _keep(release, facts, out, run)
    # Until it is sure that the job has succeeded, another attempt finds the training done.
    run.afterwards(partial(shutil.rmtree, run.folder, ignore_errors=True))
    return release, facts


def training(release: Path, out: Path, *, preset: str, steps: int | None) -> list[str]:
    """The module that trains, with its arguments."""
    limit = ["--steps", str(steps)] if steps else []
    return ["detection.bodypart.train", str(release), "--out", str(out), "--preset", preset, *limit]


def measuring(out: Path, *, patients: int) -> list[str]:
    """The module that measures a model on phantom patients, with its arguments."""
    return ["workers.phantom_check", str(out / MODEL_FILE), str(out / MEASURED), "--patients", str(patients)]


def folder_of(version: str) -> Path:
    """Where a model and the record of its training lie."""
    return Path(settings.DATA_DIR) / "bodypart" / version


def log_of(job_id: int, version: str) -> Path:
    """Where the training of a job writes, or wrote, its output; `version` is empty until it has succeeded."""
    folder = folder_of(version) if version else Path(settings.DATA_DIR) / "jobs" / str(job_id) / RUN
    return folder / programs.LOG


def _tell(run: Run, state: dict[str, Any]) -> None:
    if state:
        run.progress(state["done"], state["total"], state["unit"])
    run.check_cancelled()


def _keep(release: Release, facts: dict[str, Any], out: Path, run: Run) -> None:
    """Put the model where it is looked for, and a row of it into the database."""
    version = facts["version"]
    told = {name: value for name, value in facts.items() if name != "version"}
    folder = folder_of(version)
    whole = folder.with_name(f".{version}.{run.folder.name}")
    shutil.rmtree(whole, ignore_errors=True)
    whole.mkdir(parents=True)
    try:
        for name in KEPT:
            shutil.copyfile(out / name, whole / name)
        with run.fence():
            there = folder.exists()
            found = hashes.of_those(folder if there else whole, KEPT)
            known, new = LocationModel.objects.get_or_create(
                version=version, defaults={"trained_on": release.name, "facts": told, "hashes": found}
            )
            if not new:
                # The same model, trained again: what was measured of it since is added.
                known.facts |= told
                known.hashes = known.hashes if there else found
                known.save(update_fields=["facts", "hashes"])
            if not there:
                whole.replace(folder)
    finally:
        shutil.rmtree(whole, ignore_errors=True)
