"""Import of the published DeepLesion: DL_info.csv and, where it is there, Images_png.

The file is streamed twice when images come with it: once to look at the images, with no transaction open, and once
to write everything in a single one. Whatever goes wrong, the database holds all of an import or nothing of it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from django.db import transaction

from datasets import bulk, dl_info, manifest
from datasets.models import Collection, Lesion, Patient, Series, Slice, Study
from datasets.services import import_images, import_rows
from datasets.services import release as releases
from datasets.services.errors import Refused
from datasets.services.fence import Fence
from datasets.services.import_images import Progress, SeriesFolder
from datasets.services.turns import take_turn
from datasets.storage import slice_storage

TITLE = "DeepLesion"

NOTHING_SEEN = import_images.NothingSeen()


class ImportRefused(Refused):
    """Nothing was written; the message says why."""


class BadRows(ImportRefused):
    """A strict import met bad rows, or no row is good."""

    def __init__(self, summary: "Summary") -> None:
        rows = "row is" if summary.rows == 1 else "rows are"
        super().__init__(f"{summary.bad_rows} of {summary.rows} {rows} bad, so nothing was imported")
        self.summary = summary


class ReleaseRefusedAfterwards(Refused):
    """The rows are in, but no release could be made of them."""

    def __init__(self, name: str, cause: Refused, summary: "Summary") -> None:
        super().__init__(f"the rows were imported, but {name} was not published: {cause}")
        self.summary = summary


@dataclass(slots=True)
class Summary:
    """What an import did."""

    rows: int = 0
    added: dict[str, int] = field(default_factory=dict)
    """Per table."""
    known: int = 0
    """Rows whose lesion was there already."""
    bad: list[dl_info.Problem] = field(default_factory=list)
    bad_rows: int = 0
    deviations: list[dl_info.Problem] = field(default_factory=list)
    image_problems: list[str] = field(default_factory=list)
    release: str = ""
    """Name of the release, where one was published or is to be."""


def _no_progress(done: int, total: int) -> None:
    """Nobody watches."""


def import_deeplesion(
    csv: Path,
    *,
    collection: str = "deeplesion",
    images: Path | None = None,
    copy: bool = False,
    release: str = "",
    strict: bool = False,
    on_images: Progress = _no_progress,
    on_rows: Progress = _no_progress,
    on_pixels: Progress = _no_progress,
    publish: bool = True,
    seen: import_images.Seen | None = None,
    check: Callable[[], None] = lambda: None,
    fence: Fence = transaction.atomic,
) -> Summary:
    """Import a DL_info.csv; running it again adds nothing.

    Parameters
    ----------
    collection : slug of the collection, which is made where it does not exist.
    images : the dataset's Images_png. It stays where it is, unless `copy` asks for the files in our own storage.
    release : name of a release to publish with the official split, once the rows are in; empty for none.
    strict : refuse the file as a whole when a row is bad.
    on_images, on_rows, on_pixels : called with how many series folders, lines and, for a release, slices are done,
        and how many there are; `on_rows` with 0 before the transaction begins, and within it from then on.
    publish : False leaves the release to the caller, if `Summary.release` says that it is wanted.
    seen : what an earlier try has seen of the images; see `import_journal`.
    check : called every thousand rows; what it raises ends the import.
    fence : entered when everything is written and before it is committed: until then whoever wants to end the import
        need not wait for a lock.

    Raises
    ------
    Refused, dl_info.NotDeepLesion, ValidationError : nothing was written.
    ReleaseRefusedAfterwards : the rows are in, and no release was published.
    OSError : the disk is full or cannot be written; copied images may lie in the storage, unused.
    """
    target = _target(collection)
    summary = Summary()
    folders: dict[str, SeriesFolder] = {}
    if images is not None:
        images = images.resolve()
        import_images.check_folder(images)
        place = "" if copy else str(images)
        _check_place(target, place)
        target.image_folder = place
        first_look = Summary()
        wanted = import_images.wanted_of(row for batch in _batches(csv, first_look, check) for _, row in batch)
        _refuse(csv, first_look, strict)
        storage = slice_storage(Collection(slug=collection)) if copy else None
        folders = import_images.survey(images, wanted, _measured(target), storage, on_images, seen or NOTHING_SEEN)
        summary.image_problems = [problem for folder in folders.values() for problem in folder.problems]
    total = lines(csv) if csv.is_file() else 0
    on_rows(0, total)
    with transaction.atomic():
        target.save()
        take_turn(target)
        writer = import_rows.Writer(target, folders, manifest.location_source(csv.parent))
        for batch in _batches(csv, summary, check):
            contradictions = writer.write(batch)
            summary.bad += contradictions
            summary.bad_rows += len(contradictions)
            on_rows(batch[-1][0], total)
        _refuse(csv, summary, strict)
        writer.write_neighbours()
        bulk.analyze(Patient, Study, Series, Slice, Lesion)
        on_rows(total, total)
        summary.added, summary.known = writer.added(), writer.known
        summary.deviations = sorted([*summary.deviations, *writer.deviations], key=lambda problem: problem.line)
        wanted_release = bool(release) and not _published_before(release, target, summary)
        if wanted_release:
            releases.check_name(release)
            summary.release = release
        with fence():
            check()
    if wanted_release and publish:
        _publish(release, target, summary, on_pixels)
    return summary


def check_download(csv: Path, *, collection: str, images: Path | None, copy: bool = False) -> None:
    """Refuse at once what can be seen at once to be no download for a collection; nothing is written.

    Parameters
    ----------
    csv, collection, images, copy : see `import_deeplesion`.

    Raises
    ------
    Refused, dl_info.NotDeepLesion, ValidationError
    """
    target = _target(collection)
    if next(dl_info.read(csv), None) is None:
        raise ImportRefused(f"{csv} holds no rows, only a header")
    if images is not None:
        import_images.check_folder(images)
        _check_place(target, "" if copy else str(images.resolve()))


def _target(slug: str) -> Collection:
    collection = Collection.objects.filter(slug=slug).first()
    if collection is None:
        made = Collection(slug=slug, title=TITLE, kind=Collection.Kind.PUBLISHED)
        made.clean_fields()
        return made
    if collection.kind != Collection.Kind.PUBLISHED:
        raise ImportRefused(f"the collection {slug} is a hospital's; a published dataset needs one of its own")
    return collection


def _check_place(target: Collection, place: str) -> None:
    """Images of one collection lie in one place; a download may move, as long as the old place is gone."""
    old = target.image_folder
    stored = target.pk and Slice.objects.filter(series__study__patient__collection=target, stored=True).exists()
    if stored and old != place and (not old or Path(old).is_dir()):
        own = "our own storage"
        raise ImportRefused(
            f"the images of {target.slug} lie in {old or own}; they cannot lie in {place or own} as well"
        )


def _measured(target: Collection) -> dict[tuple[str, int], set[import_images.Box]]:
    """What an earlier import has seen of the images."""
    found: dict[tuple[str, int], set[import_images.Box]] = {}
    if target.pk is None:
        return found
    path = "slice__series__study__patient__number", "slice__series__study__number", "slice__series__number"
    lesions = Lesion.objects.filter(
        slice__series__study__patient__collection=target, slice__stored=True, mean_hu__isnull=False
    ).exclude(slice__pixel_hash="")
    columns = lesions.order_by().values_list(*path, "slice__number", "box_x1", "box_y1", "box_x2", "box_y2")
    for patient, study, series, number, *box in columns.iterator():
        found.setdefault((dl_info.folder_name(patient, study, series), number), set()).add(tuple(box))
    return found


def lines(csv: Path) -> int:
    """How many lines a table has, its header included."""
    with csv.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


def _batches(csv: Path, summary: Summary, check: Callable[[], None]) -> Iterator[list[import_rows.Line]]:
    """Give the usable rows, some at a time, and note in the summary what is wrong with the others."""
    batch: list[import_rows.Line] = []
    for line, row, problems in dl_info.read(csv):
        summary.rows += 1
        if row is None:
            summary.bad += problems
            summary.bad_rows += 1
            continue
        summary.deviations += problems
        batch.append((line, row))
        if len(batch) == import_rows.BATCH:
            check()
            yield batch
            batch = []
    if batch:
        yield batch


def _refuse(csv: Path, summary: Summary, strict: bool) -> None:
    """Refuse a table of which nothing goes in, or not all of it where all is asked for."""
    if not summary.rows:
        raise ImportRefused(f"{csv} holds no rows, only a header")
    summary.bad.sort(key=lambda problem: problem.line)
    if summary.bad and (strict or summary.bad_rows == summary.rows):
        raise BadRows(summary)


def _published_before(name: str, target: Collection, summary: Summary) -> bool:
    """Tell whether an earlier run of the same import has published the release."""
    published = releases.find(name)
    return published is not None and published.collection_id == target.pk and not summary.added["lesions"]


def _publish(name: str, target: Collection, summary: Summary, progress: Progress) -> None:
    """Publish the official split; this reads every image, so it comes when the rows are committed."""
    try:
        releases.create(
            name,
            target,
            split=releases.OFFICIAL,
            on_images=progress,
            on_damage=summary.image_problems.append,
        )
    except Refused as error:
        raise ReleaseRefusedAfterwards(name, error, summary) from error
