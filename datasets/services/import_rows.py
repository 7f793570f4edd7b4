"""Rows of DL_info.csv as patients, studies, series, slices and lesions."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from django.db import connection
from django.utils import timezone

from datasets import bulk, dl_info
from datasets.models import Collection, Lesion, Patient, Series, Slice, Study
from datasets.services.import_images import SeriesFolder
from datasets.services.ledger import Contradiction, Fact, Ledger
from datasets.services.measure import BOX, POINTS

BATCH = 1000
"""Rows that are looked up and written together; few enough for the parameters of one query."""

NOISE = '[{"reason": "published"}]'

STATISTICS = ("mean_hu", "std_hu", "min_hu", "max_hu")
LESION_FIELDS = (
    "slice_id", "number", *POINTS, *BOX,
    "long_px", "short_px", "long_mm", "short_mm", "long_um", "short_um", *STATISTICS,
    "type", "x", "y", "z", "location_source", "possibly_noisy", "noise_reasons", "flags", "first_slice", "last_slice",
)  # fmt: skip

SLICE_FACTS = {
    "slice_interval": "Spacing_mm_px_",
    "window_low": "DICOM_windows",
    "window_high": "DICOM_windows",
    "stored": "",
    "stored_at": "",
    "bytes": "",
    "sha256": "",
    "pixel_hash": "",
}

Line = tuple[int, dl_info.Row]
Points = tuple[float, ...]


class Known(NamedTuple):
    """A lesion that is there: its id, where it has been written, and what a row may say otherwise."""

    pk: int | None
    told: tuple[object, ...]
    """As `TOLD`."""


TOLD = ("Bounding_boxes", "Coarse_lesion_type", "Normalized_lesion_location")
"""Columns that say something of a lesion beside its points; whether it is noisy is found out here as well."""


class Writer:
    """Writes rows batch by batch, inside the caller's transaction.

    Parameters
    ----------
    folders : what is there of the images, by name of the series' folder; empty without images.
    location_source : who placed the lesions.
    """

    def __init__(self, collection: Collection, folders: dict[str, SeriesFolder], location_source: str) -> None:
        self.known = 0
        self.deviations: list[dl_info.Problem] = []
        """What rows say otherwise of lesions that are there."""
        self._collection = collection
        self._folders = folders
        self._location_source = location_source
        self._now = connection.ops.adapt_datetimefield_value(timezone.now())
        self._series_ids: dict[str, int] = {}
        self._lesions_added = 0
        self._neighbours_added = 0
        self._patients = Ledger(
            Patient, "collection_id", {"sex": "Patient_gender", "official_split": "Train_Val_Test"}
        )
        self._studies = Ledger(Study, "patient_id", {"age": "Patient_age"})
        self._series = Ledger(
            Series,
            "study_id",
            {
                "columns": "Image_size",
                "rows": "Image_size",
                "spacing_x": "Spacing_mm_px_",
                "spacing_y": "Spacing_mm_px_",
                # One series may hold two intervals; each slice has its own.
                "slice_interval": "",
                "kernel": "",
                "patient_position": "",
                "lossy": "",
            },
        )
        self._slices = Ledger(Slice, "series_id", SLICE_FACTS)
        self._patients.load(collection=collection)
        self._studies.load(patient__collection=collection)
        self._series.load(study__patient__collection=collection)

    def added(self) -> dict[str, int]:
        """Rows added per table."""
        return {
            "patients": self._patients.added,
            "studies": self._studies.added,
            "series": self._series.added,
            "slices": self._slices.added + self._neighbours_added,
            "lesions": self._lesions_added,
        }

    def write(self, lines: Sequence[Line]) -> list[dl_info.Problem]:
        """Write some rows; returns what contradicts the rest of the collection and was left out.

        What a row says of a lesion that is there stays unwritten, and is added to `deviations`.
        """
        problems: list[dl_info.Problem] = []
        placed = list(self._with_series(lines, problems))
        stored = {series for _, series in placed if not self._series.is_new(series)}
        if stored:
            self._slices.load(series_id__in=stored, number__in={row.slice for (_, row), _ in placed})
        rows = list(self._with_slice(placed, problems))
        known = _lesions_on({slice_id for _, slice_id in rows if not self._slices.is_new(slice_id)})
        # Parents first: SQLite searches for waiting children otherwise.
        for ledger in (self._patients, self._studies, self._series, self._slices):
            ledger.flush()
        self._slices.forget()
        self._write_lesions(rows, *known)
        return problems

    def _with_series(self, lines: Sequence[Line], problems: list[dl_info.Problem]) -> Iterator[tuple[Line, int]]:
        for line, row in lines:
            try:
                patient = self._patients.claim(self._collection.pk, row.patient, (row.sex, row.split))
                study = self._studies.claim(patient, row.study, (row.age,))
                facts = (*row.image_size, *row.spacing, row.slice_interval, "", "", False)
                series = self._series.claim(study, row.series, facts)
            except Contradiction as found:
                problems.append(dl_info.Problem(line, found.column, str(found)))
                continue
            if self._folders:
                self._series_ids[row.folder] = series
            yield (line, row), series

    def _with_slice(
        self, placed: list[tuple[Line, int]], problems: list[dl_info.Problem]
    ) -> Iterator[tuple[Line, int]]:
        for (line, row), series in placed:
            facts = (row.slice_interval, *row.window, *self._image_facts(row))
            try:
                yield (line, row), self._slices.claim(series, row.slice, facts)
            except Contradiction as found:
                problems.append(dl_info.Problem(line, found.column, str(found)))

    def _image_facts(self, row: dl_info.Row) -> tuple[bool, Fact, int | None, str, str]:
        folder = self._folders.get(row.folder) if self._folders else None
        size = folder.size_of(row.slice) if folder else None
        if folder is None or size is None:
            return False, None, None, "", ""
        image = folder.key_images.get(row.slice)
        return True, self._now, size, "", image.pixel_hash if image else ""

    def _write_lesions(
        self, rows: list[tuple[Line, int]], known: dict[tuple[int, Points], Known], numbers: dict[int, int]
    ) -> None:
        lengths = dl_info.lengths_mm([row for (_, row), _ in rows]).tolist()
        new, measured = [], []
        for ((line, row), slice_id), (long_mm, short_mm) in zip(rows, lengths, strict=True):
            statistics = self._statistics(row)
            key = (slice_id, row.recist)
            told = (row.box, row.type, row.location)
            if key in known:
                self.known += 1
                self.deviations += _differences(line, known[key].told, told)
                lesion = known[key].pk
                if statistics and lesion:
                    measured.append((*statistics, lesion))
                continue
            known[key] = Known(None, told)
            number = numbers[slice_id] = numbers.get(slice_id, 0) + 1
            new.append((
                slice_id, number, *row.recist, *row.box, *row.diameters_px, long_mm, short_mm,
                round(long_mm * 1000), round(short_mm * 1000), *(statistics or (None,) * 4), row.type,
                *(row.location or (None, None, None)), self._location_source if row.location else "",
                row.noisy, NOISE if row.noisy else "[]", "[]", *row.slice_range,
            ))  # fmt: skip
        self._lesions_added += len(new)
        bulk.insert(Lesion, LESION_FIELDS, new)
        bulk.update(Lesion, STATISTICS, measured)

    def _statistics(self, row: dl_info.Row) -> tuple[float, ...] | None:
        folder = self._folders.get(row.folder) if self._folders else None
        image = folder.key_images.get(row.slice) if folder else None
        return image.statistics.get(row.box) if image else None

    def write_neighbours(self) -> None:
        """Add the slices around the key slices, as far as their images are there.

        One that a release left out as damaged gets a second chance.
        """
        folders = [(name, self._series_ids[name]) for name in self._folders if name in self._series_ids]
        for start in range(0, len(folders), BATCH):
            part = folders[start : start + BATCH]
            found = Slice.objects.filter(series_id__in=[series for _, series in part]).order_by()
            known = {
                (series, number): None if stored else pk
                for pk, series, number, stored in found.values_list("id", "series_id", "number", "stored")
            }
            new, again = [], []
            for name, series in part:
                for number, size in zip(self._folders[name].numbers, self._folders[name].sizes, strict=True):
                    if (series, number) not in known:
                        new.append((series, number, True, self._now, size, "", ""))
                    elif pk := known[series, number]:
                        again.append((True, self._now, size, pk))
            bulk.insert(Slice, ("series_id", "number", "stored", "stored_at", "bytes", "sha256", "pixel_hash"), new)
            bulk.update(Slice, ("stored", "stored_at", "bytes"), again)
            self._neighbours_added += len(new)


def _lesions_on(slices: set[int]) -> tuple[dict[tuple[int, Points], Known], dict[int, int]]:
    """Lesions on some slices by slice and points, and the highest number on each slice."""
    known: dict[tuple[int, Points], Known] = {}
    numbers: dict[int, int] = {}
    if slices:
        columns = ("id", "slice_id", "number", *POINTS, *BOX, "type", "x", "y", "z")
        lesions = Lesion.objects.filter(slice_id__in=slices).order_by().values_list(*columns)
        for pk, slice_id, number, *rest in lesions:
            points, box, (lesion_type, x, y, z) = rest[:8], rest[8:12], rest[12:]
            location = None if x is None else (x, y, z)
            known[slice_id, tuple(points)] = Known(pk, (tuple(box), lesion_type, location))
            numbers[slice_id] = max(number, numbers.get(slice_id, 0))
    return known, numbers


def _differences(line: int, known: tuple[object, ...], given: tuple[object, ...]) -> Iterator[dl_info.Problem]:
    for column, there, here in zip(TOLD, known, given, strict=True):
        if there != here:
            yield dl_info.Problem(line, column, f"{_words(here)}, but the collection keeps {_words(there)}")


def _words(told: object) -> str:
    if told is None:
        return "unknown"
    return ", ".join(f"{value:g}" for value in told) if isinstance(told, tuple) else str(told)
