"""Files and folders of ours that no row knows: what something that was killed, or somebody, has left."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

from django.conf import settings
from django.core.files.storage import FileSystemStorage, Storage

from datasets import storage
from datasets.models import Collection, LocationModel, Series
from datasets.storage import Found
from detection.models import Evaluation, TrainingRun
from workers.models import Job

SLICES = "slices/"
"""Below it lie slices, in DATA_DIR and in a bucket."""


@dataclass(frozen=True)
class Stranger:
    """Something that no row knows: its name below DATA_DIR, what it is, and how to be rid of it.

    Attributes
    ----------
    written : when, in seconds since 1970.
    """

    name: str
    kind: str
    written: float
    remove: Callable[[], None]


def find() -> Iterator[Stranger]:
    """Everything that no row knows among slices, runs, body-part models and the folders of jobs."""
    for collection in Collection.objects.filter(image_folder=""):
        place = storage.slice_storage(collection)
        for name, written in _slices(collection, place):
            yield Stranger(f"{SLICES}{collection.slug}/{name}", "file", written, partial(place.delete, name))
    yield from _of_no_collection()
    yield from _folders()


def _slices(collection: Collection, place: Storage) -> Iterator[Found]:
    known = {
        row.folder: row
        for row in Series.objects.filter(study__patient__collection=collection).select_related("study__patient")
    }
    for folder, files in groupby(storage.found(place), lambda file: file.name.partition("/")[0]):
        series = known.get(folder)
        expected = {each.path for each in series.slices.filter(stored=True)} if series else set()
        yield from (file for file in files if file.name not in expected)


def _of_no_collection() -> Iterator[Stranger]:
    slugs = frozenset(Collection.objects.values_list("slug", flat=True))
    place = storage.bucket() or FileSystemStorage(location=Path(settings.DATA_DIR) / "slices")
    for name, written in storage.found(place):
        if name.partition("/")[0] not in slugs:
            yield Stranger(f"{SLICES}{name}", "file", written, partial(place.delete, name))


def _folders() -> Iterator[Stranger]:
    """Folders of runs, evaluations, body-part models and jobs."""
    data = Path(settings.DATA_DIR)
    runs = [TrainingRun(pk=pk).folder for pk in TrainingRun.objects.values_list("pk", flat=True)]
    evaluations = {each.folder for each in Evaluation.objects.only("pk", "run_id")}
    for parent, pattern, known in (
        ("runs", "*", set(runs)),
        *((run, "evaluation-*", evaluations) for run in runs),
        (
            "bodypart",
            "*",
            {f"bodypart/{version}" for version in LocationModel.objects.values_list("version", flat=True)},
        ),
        ("jobs", "*", {f"jobs/{pk}" for pk in Job.objects.values_list("pk", flat=True)}),
    ):
        for path in sorted((data / parent).glob(pattern)):
            name = path.relative_to(data).as_posix()
            if name not in known and not path.name.startswith("."):
                try:
                    written = path.lstat().st_mtime
                except FileNotFoundError:
                    continue
                if path.is_dir():
                    yield Stranger(name, "folder", written, partial(shutil.rmtree, path))
                else:
                    yield Stranger(name, "file", written, path.unlink)
