"""What a job will cost, as far as it is cheaply known before it starts."""

import shutil
from pathlib import Path
from typing import Any

from django.conf import settings
from django.template.defaultfilters import filesizeformat

from datasets import manifest
from datasets.services.import_deeplesion import lines
from deeplesion_site import import_wish
from deeplesion_site.dashboard import job_selectors as selectors
from deeplesion_site.dashboard.health_page import CARDS
from workers import engine
from workers.kind import Kind
from workers.models import Job

ON_A_PROCESSOR = {"bodypart": "small", "train": "tiny"}
"""Presets that need no graphics card."""


def cost(kind: Kind[Any], params: dict[str, Any]) -> list[tuple[str, str]]:
    """Rows and slices it works on, free disk, whether a graphics card and a worker are there: name and words."""
    found = [*_size(kind, params), ("Disk free", filesizeformat(shutil.disk_usage(settings.DATA_DIR).free))]
    if kind.queue == Job.Queue.GPU:
        card = CARDS.is_dir() and any(CARDS.iterdir())
        fits = ON_A_PROCESSOR.get(kind.name) == params.get("preset")
        without = "none seen here; " + ("this preset is made for a CPU" if fits else "on a CPU it takes very long")
        found.append(("Graphics card", "there is one" if card else without))
    at_work = engine.worker_at_work(kind.queue)
    found.append(("Worker", f"one serves {kind.queue}" if at_work else f"none serves {kind.queue} now; the job waits"))
    return found


def _size(kind: Kind[Any], params: dict[str, Any]) -> list[tuple[str, str]]:
    if kind.name == "harvest":
        return [("Slices", "the dry run counts them" if params.get("dry_run") else "known once it runs")]
    if kind.name == "import":
        return _download(import_wish.folder_of(params["download"]), bool(params.get("copy")))
    if kind.name in ("curate", "locate", "release"):
        size = selectors.size_of_collection(params["collection"])
    else:
        name = selectors.release_of_run(params["run"]) if kind.name == "evaluate" else params["release"]
        size = selectors.size_of_release(name)
    found = [
        ("Rows", f"{size.lesions:,} lesion{'' if size.lesions == 1 else 's'}"),
        ("Slices", f"{size.slices:,} with a lesion" + ("" if kind.name == "curate" else ", and those around them")),
    ]
    if kind.name == "export":
        needed = selectors.bytes_of_release(params["release"])
        found.append(
            ("Disk needed", "known once its manifest is written" if needed is None else filesizeformat(needed))
        )
    return found


def _download(folder: Path, copy: bool) -> list[tuple[str, str]]:
    """Of a download only what is known without opening its images."""
    rows = max(0, lines(folder / manifest.TABLE) - 1)
    images = folder / manifest.IMAGES
    if not images.is_dir():
        return [("Rows", f"{rows:,}"), ("Slices", f"none are read: there is no {manifest.IMAGES}")]
    series = sum(1 for _ in images.iterdir())
    return [
        ("Rows", f"{rows:,}"),
        ("Slices", f"the key slices of the rows are read, at most {rows:,}; {series:,} series"),
        ("Disk needed", "as much as the images take" if copy else "for rows alone; the images stay where they are"),
    ]
