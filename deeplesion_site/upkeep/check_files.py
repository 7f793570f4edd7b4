"""Is every file that the database knows there and unchanged, and is there any that it does not know?"""

import hashlib
import json
import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Min

from datasets import manifest, storage, storage_errors
from datasets.models import LocationModel, Release, ReleaseManifest, Slice
from datasets.services import archive
from deeplesion_site.upkeep import files, strangers
from detection.bodypart.errors import BodyPartError
from detection.models import TrainingRun
from workers import bodypart
from workers.kinds import harvest, import_download
from workers.models import Job

THREADS = 4
BATCH = 512
WRITING = (harvest.KIND.name, import_download.KIND.name)
"""Jobs whose slices lie there before the rows do, also those of a lost worker until the next attempt."""


def slices(progress: Any) -> Iterator[str]:
    """Hash the PNG of every slice that is said to be stored; one sentence for each that is missing or differs."""
    stored = Slice.objects.filter(stored=True)
    total, done = stored.count(), 0
    rows = iter(
        stored.select_related("series__study__patient__collection").order_by("series_id", "number").iterator(BATCH)
    )
    with ThreadPoolExecutor(THREADS) as pool:
        while batch := list(islice(rows, BATCH)):
            yield from filter(None, pool.map(_slice, batch))
            done += len(batch)
            progress(done, total)


def orphans() -> Iterator[str]:
    """Name files and folders of ours that no row knows, unless work that goes on may still make rows of them."""
    since = at_work_since()
    until = min(time.time(), since.timestamp() if since else math.inf)
    for stranger in strangers.find():
        if stranger.written < until:
            yield f"{stranger.name}: no row of the database knows this {stranger.kind}"


def at_work_since() -> datetime | None:
    """When the first job was asked for that has begun to write slices and is not finished; None without any."""
    at_work = Job.objects.filter(state__in=Job.UNFINISHED, attempt__gt=0, kind__in=WRITING)
    return at_work.aggregate(first=Min("created"))["first"]


def manifests() -> Iterator[str]:
    """Compare each release's manifest.json with the hash that was published."""
    for row in ReleaseManifest.objects.select_related("release"):
        path = storage.release_folder(row.release.name) / manifest.FILE_NAME
        if not path.is_file():
            yield f"release {row.release.name}: manifest.json is missing"
        elif files.sha256(path) != row.sha256:
            yield f"release {row.release.name}: manifest.json is not the one that was published"
        else:
            yield from _against_rows(row, path)


def models() -> Iterator[str]:
    """Compare checkpoints of trained runs with the hashes that were kept, body-part models with their versions."""
    data = Path(settings.DATA_DIR)
    for run in TrainingRun.objects.filter(state=TrainingRun.State.TRAINED):
        # Of a run that was trained before hashes were kept, the checkpoint has to be there.
        for name in run.hashes or {Path(run.checkpoint).name: ""}:
            yield from _against_hash(f"{run.folder}/{name}", data / run.folder / name, run.hashes.get(name, ""))
    if not (versions := list(LocationModel.objects.values_list("version", flat=True))):
        return
    # Torch is large: without a model nothing needs it.
    from detection.bodypart.model import load_model

    for version in versions:
        path = bodypart.folder_of(version) / bodypart.MODEL_FILE
        try:
            found = load_model(path).version if path.is_file() else ""
        except BodyPartError as error:
            yield f"bodypart/{version}: {error}"
            continue
        if found != version:
            yield f"bodypart/{version}: {'the file is damaged' if found else 'the file is missing'}"


def archives() -> Iterator[str]:
    """Compare the archives of releases with the hashes that downloads are given."""
    for name in Release.objects.values_list("name", flat=True):
        packed = archive.find(name)
        if packed is not None:
            yield from _against_hash(f"exports/{packed.path.name}", packed.path, packed.sha256)


def _against_hash(name: str, path: Path, sha256: str) -> Iterator[str]:
    if not path.is_file():
        yield f"{name}: the file is missing"
    elif sha256 and files.sha256(path) != sha256:
        yield f"{name}: the file is damaged"


def _against_rows(row: ReleaseManifest, path: Path) -> Iterator[str]:
    """The files that a manifest promises are the slices that `slices` has hashed."""
    promised = {
        entry["path"].removeprefix(f"{manifest.IMAGES}/"): entry["sha256"]
        for entry in json.loads(path.read_text(encoding="utf-8"))["files"]
        if entry["path"].startswith(manifest.IMAGES)
    }
    in_collection = Slice.objects.filter(series__study__patient__collection=row.release.collection, stored=True)
    for each in in_collection.select_related("series__study__patient").iterator(BATCH):
        wanted = promised.pop(each.path, None)
        if wanted and each.sha256 and wanted != each.sha256:
            yield f"release {row.release.name}: {each.path} is not the file that was published"
    for name in sorted(promised):
        yield f"release {row.release.name}: {name} is published and not stored"


def _slice(row: Slice) -> str | None:
    collection = row.series.study.patient.collection
    try:
        with storage.slice_storage(collection).open(row.path) as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return f"{collection.slug}/{row.path}: the file is missing"
    except storage_errors.StorageFailed:
        raise
    except OSError as error:
        return f"{collection.slug}/{row.path}: {error.strerror}"
    return f"{collection.slug}/{row.path}: the file is damaged" if row.sha256 and found != row.sha256 else None
