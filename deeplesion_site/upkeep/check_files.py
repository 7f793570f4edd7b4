"""Is every file that the database knows there and unchanged, and is there any that it does not know?"""

import hashlib
import json
import math
import time
from collections.abc import Iterator, Sequence
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
from detection.models import Evaluation, TrainingRun
from workers import bodypart, evaluating, training
from workers.kinds import harvest, import_download
from workers.models import Job

THREADS = 4
BATCH = 512
WRITING = (harvest.KIND.name, import_download.KIND.name)
"""Jobs whose slices lie there before the rows do, also those of a lost worker until the next attempt."""


class NotChecked(str):
    """A file of which nobody can tell whether it is as it was made: no problem, and no proof."""

    __slots__ = ()


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


def results() -> Iterator[str]:
    """Compare what trainings and evaluations have left with the hashes that were kept."""
    data = Path(settings.DATA_DIR)
    for run in TrainingRun.objects.filter(state=TrainingRun.State.TRAINED):
        yield from _against_hashes(data, run.folder, run.hashes, training.KEPT)
    for evaluation in Evaluation.objects.filter(state=Evaluation.State.DONE).defer("report"):
        yield from _against_hashes(data, evaluation.folder, evaluation.hashes, evaluating.KEPT)
    unhashed = []
    for model in LocationModel.objects.all():
        folder = bodypart.folder_of(model.version)
        yield from _against_hashes(data, folder.relative_to(data).as_posix(), model.hashes, bodypart.KEPT)
        if not model.hashes and (folder / bodypart.MODEL_FILE).is_file():
            unhashed.append(model.version)
    yield from _against_versions(unhashed)


def _against_hashes(data: Path, folder: str, hashes: dict[str, str], kept: Sequence[str]) -> Iterator[str]:
    """Of what was made before hashes were kept, all that stays of it now has to be there, but for the best checkpoint,
    which is made where something was validated."""
    names = hashes if set(kept) - {training.BEST} <= set(hashes) else {**dict.fromkeys(kept), **hashes}
    for name in names:
        path = data / folder / name
        if name in hashes:
            yield from _against_hash(f"{folder}/{name}", path, hashes[name])
        elif path.is_file():
            yield NotChecked(f"{folder}/{name}: not checked, made before hashes were kept")
        elif name != training.BEST:
            yield f"{folder}/{name}: the file is missing"


def _against_versions(versions: Sequence[str]) -> Iterator[str]:
    """Compare regressors with their versions, which are hashes of what they compute."""
    if not versions:
        return
    # Torch is large: without a model nothing needs it.
    from detection.bodypart.model import load_model

    for version in versions:
        try:
            found = load_model(bodypart.folder_of(version) / bodypart.MODEL_FILE).version
        except BodyPartError as error:
            yield f"bodypart/{version}: {error}"
            continue
        if found != version:
            yield f"bodypart/{version}: the file is damaged"


def archives() -> Iterator[str]:
    """Compare the archives of releases with the hashes that downloads are given."""
    for name in Release.objects.values_list("name", flat=True):
        packed = archive.find(name)
        if packed is not None:
            yield from _against_hash(f"exports/{packed.path.name}", packed.path, packed.sha256)


def _against_hash(name: str, path: Path, sha256: str) -> Iterator[str]:
    if not path.is_file():
        yield f"{name}: the file is missing"
    elif files.sha256(path) != sha256:
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
