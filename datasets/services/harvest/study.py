"""One study's new marks: settled, or brought to the dataset volume by volume."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping

import numpy as np
from django.db.models import Max
from django.utils import timezone
from numpy.typing import NDArray

from datasets.geometry import recist, region
from datasets.geometry.surroundings import surroundings
from datasets.models import Annotation, Collection, Lesion, Series, Slice
from datasets.pacs import deidentify
from datasets.pacs.deidentify import Pseudonymiser
from datasets.pacs.instance import Instance
from datasets.pacs.resolve import Measurement
from datasets.pacs.series import Volume
from datasets.pacs.source import Source
from datasets.pacs.types import coarse_type
from datasets.services.fence import Fence
from datasets.services.harvest.around import claimed_in, settle_around, stored_in, wanted_in
from datasets.services.harvest.marks import Mark, annotation_of, flag_sentences, known, read_marks, taken
from datasets.services.harvest.numbers import Numbers, SeriesChanged, Visit
from datasets.services.harvest.report import Report
from datasets.services.harvest.slices import Written, context_of, write_slices
from datasets.services.measure import measured
from datasets.services.turns import take_turn
from datasets.storage import slice_storage
from datasets.words import counted

MISSING_SLICES = "Slices are missing between those that are kept around it."
CONTRADICTORY_SPACING = "The headers of its series contradict each other about spacing."


class StudyHarvest:
    """One run over one source."""

    def __init__(
        self,
        source: Source,
        collection: Collection,
        pseudonymiser: Pseudonymiser,
        context_mm: float | None,
        report: Report,
        check: Callable[[], None],
        fence: Fence,
    ) -> None:
        self.source = source
        self.collection = collection
        self.pseudonymiser = pseudonymiser
        self.context_mm = context_mm
        self.report = report
        self.check, self.fence = check, fence
        self.numbers = Numbers(collection, pseudonymiser, fence)
        self.read: set[str] = set()
        """Fingerprints of this run: a document may lie in a source twice."""
        self.seen: set[str] = set()
        """Geometries of this run: a dry run has no database to look them up in."""

    def study(self, visit: Visit, instances: list[Instance]) -> None:
        """Take the new marks of one study's objects."""
        marks = list(read_marks(self.source, instances, self.pseudonymiser, self.check))
        if not marks:
            return
        self._begin()
        self.report.studies_with_bookmarks += 1
        self.report.annotations += len(marks)
        year = visit.date.year if visit.date else None
        fresh = self._fresh(marks)
        self.seen |= taken(fresh, self.collection)
        settled, repeated = [], []
        volumes: dict[str, list[Mark]] = defaultdict(list)
        marked = {mark.measurement.volume.key: mark for mark in marks if isinstance(mark.outcome, Measurement)}
        for mark in fresh:
            if not isinstance(mark.outcome, Measurement):
                settled.append(mark)
            elif mark.geometry in self.seen:
                repeated.append(mark)
            else:
                self.seen.add(mark.geometry)
                volumes[mark.outcome.volume.key].append(mark)
        self._record(visit, year, settled)
        for key in sorted(marked):
            self._volume(visit, year, marked[key], volumes[key])
        self._record(visit, year, repeated, again=True)

    def _begin(self) -> None:
        """Save a new collection, now that there is something for it; another harvest may have done so meanwhile."""
        if self.report.dry_run or self.collection.pk is not None:
            return
        given = {"title": self.collection.title, "kind": self.collection.kind}
        with self.fence():
            saved, _ = Collection.objects.get_or_create(slug=self.collection.slug, defaults=given)
        self.collection.pk = saved.pk
        self.collection.refresh_from_db()

    def _fresh(self, marks: list[Mark]) -> list[Mark]:
        """The marks that neither an earlier harvest settled nor another copy of their document brought."""
        before = known(marks, self.collection)
        fresh = []
        waiting: Counter[tuple[str, str, str]] = Counter()
        for mark in marks:
            if mark.fingerprint in self.read:
                self.report.known += 1
                continue
            self.read.add(mark.fingerprint)
            recorded = before.get(mark.fingerprint)
            now = "" if isinstance(mark.outcome, Measurement) else str(mark.outcome.reason)
            if recorded is None or (recorded in Annotation.WAITING and recorded != now):
                fresh.append(mark)
            else:
                self.report.known += 1
            if not isinstance(mark.outcome, Measurement) and now in Annotation.WAITING:
                waiting[mark.place, mark.outcome.detail, mark.outcome.reason] += 1
        for (place, detail, reason), count in waiting.items():
            self.report.add_named(place, detail, reason, count)
        return fresh

    def _volume(self, visit: Visit, year: int | None, marked: Mark, marks: list[Mark]) -> None:
        """Take the new marks on one volume, and what is missing around the lesions that it has.

        Parameters
        ----------
        marked : any mark on it; marks : the new ones, which may be none.
        """
        volume = marked.measurement.volume
        try:
            series = self.numbers.find_series(volume)
        except SeriesChanged as changed:
            self._changed(changed.series, marked, marks)
            return
        if series is None and not marks:
            return
        if marks:
            self._note(volume, marks[0].place)
        keys = {mark.measurement.slice_index for mark in marks}
        contexts = {index: context_of(volume, index, self.context_mm) for index in keys}
        wanted = {index for context in contexts.values() for index in context}
        stored: set[int] = set()
        if series is not None:
            stored = stored_in(series)
            wanted |= wanted_in(series, volume, self.context_mm)
        if self.report.dry_run:
            self.report.slices += len(wanted - stored)
            self._count(year, marks)
            self._note_flags(marks)
            return
        if series is None:
            series = self.numbers.series(visit, volume)
        written = Written()
        if marks or wanted - stored:
            storage = slice_storage(self.collection)
            written = write_slices(self.source, storage, series, volume, wanted, keys, stored, self.check)
        for instance, error in written.failures.values():
            self.report.add(instance.locator, error)
        lost = {index: str(error) for index, (_, error) in written.failures.items()}
        kept = [mark for mark in marks if mark.measurement.slice_index not in lost]
        undecodable = [
            mark.because(Annotation.Reason.UNDECODABLE, lost[mark.measurement.slice_index])
            for mark in marks
            if mark.measurement.slice_index in lost
        ]
        with self.fence():
            take_turn(self.collection)
            came = timezone.now()
            for row in written.rows:
                # A release that was published since the file was written does not hold it.
                row.stored_at = came
            Slice.objects.bulk_create(sorted(written.rows, key=lambda row: row.number))
            self._record(visit, year, undecodable)
            self._record(visit, year, kept)
            self._lesions(series, volume, kept, contexts, written.key_slices)
            settle_around(series, volume, self.context_mm)
        self._note_flags(kept)
        self.report.slices += len(written.rows)

    def _changed(self, series: Series | None, marked: Mark, marks: list[Mark]) -> None:
        """Tell that a series has other slices than it had, where something waits for those."""
        waiting = [f"{counted(len(marks), 'new mark')} wait{'s' * (len(marks) == 1)}"] if marks else []
        if series is not None and not stored_in(series) >= claimed_in(series):
            waiting.append("what is missing around its lesions stays missing")
        if waiting:
            self.report.changed_series += 1
            sentence = "the series it marks has other slices than when it was harvested"
            self.report.add_named(marked.place, "; ".join([sentence, *waiting]), SeriesChanged.__name__)

    def _note(self, volume: Volume, place: str) -> None:
        """Tell what is odd with a volume whose marks are taken all the same."""
        if volume.stack.gaps:
            sentence = f"the series it marks lacks about {counted(volume.missing, 'slice')}; its lesions are kept"
            self.report.note(place, sentence, "MissingSlices")
        if volume.contradiction:
            self.report.note(place, f"{volume.contradiction}; its lesions are kept", "ContradictorySpacing")

    def _note_flags(self, marks: list[Mark]) -> None:
        for mark in marks:
            for flag, sentence in flag_sentences(mark).items():
                self.report.note(mark.place, sentence, flag.title().replace("_", ""))

    def _lesions(
        self,
        series: Series,
        volume: Volume,
        marks: list[Mark],
        contexts: Mapping[int, range],
        key_slices: Mapping[int, NDArray[np.int32]],
    ) -> None:
        """Add the lesions of recorded marks."""
        annotations = {
            row.fingerprint: row
            for row in Annotation.objects.filter(
                collection=self.collection, fingerprint__in=[mark.fingerprint for mark in marks]
            )
        }
        slices = {row.number: row for row in series.slices.annotate(last=Max("lesions__number"))}
        lasts = Counter({number: row.last or 0 for number, row in slices.items()})
        lesions = []
        for mark in marks:
            index = mark.measurement.slice_index
            context = contexts[index]
            lasts[index + 1] += 1
            points = mark.measurement.points
            inside = region.statistics(key_slices[index], recist.bounding_box(points))
            around = surroundings(key_slices[index], points)
            lesions.append(
                Lesion(
                    slice=slices[index + 1],
                    number=lasts[index + 1],
                    annotation=annotations[mark.fingerprint],
                    follow_up=self.numbers.follow_up(series.study.patient, mark.bookmark),
                    type=coarse_type(mark.bookmark.site, mark.bookmark.finding),
                    flags=[*flag_sentences(mark).values(), *_odd(volume, context)],
                    first_slice=context[0] + 1,
                    last_slice=context[-1] + 1,
                    **measured(points, volume.spacing, inside, around),
                )
            )
        Lesion.objects.bulk_create(lesions)

    def _record(self, visit: Visit, year: int | None, marks: list[Mark], again: bool = False) -> None:
        """Add the annotations of marks; of one that was waited for, say what came of it."""
        self._count(year, marks, again)
        if self.report.dry_run or not marks:
            return
        rows = [annotation_of(mark, self.collection, visit.study, year, again) for mark in marks]
        waiting = Annotation.objects.filter(collection=self.collection, reason__in=Annotation.WAITING)
        ids = dict(waiting.filter(fingerprint__in=[row.fingerprint for row in rows]).values_list("fingerprint", "pk"))
        for row in rows:
            row.pk = ids.get(row.fingerprint)
        with self.fence():
            Annotation.objects.bulk_update([row for row in rows if row.pk], Annotation.OUTCOME)
            Annotation.objects.bulk_create([row for row in rows if not row.pk])

    def _count(self, year: int | None, marks: list[Mark], again: bool = False) -> None:
        for mark in marks:
            self.report.tools[mark.bookmark.tool] += 1
            self.report.modalities[deidentify.modality(mark.outcome.modality) or "unknown"] += 1
            self.report.years[str(year or "unknown")] += 1
            name = f"{mark.place} {mark.bookmark.label}".strip()
            if again:
                self.report.reasons[Annotation.Reason.SAVED_AGAIN] += 1
                self.report.details.append(f"{name}: rejected, {Annotation.Reason.SAVED_AGAIN.label}")
            elif isinstance(mark.outcome, Measurement):
                self.report.lesions += 1
                long_mm, short_mm = mark.outcome.diameters_mm
                size = f"{long_mm:.1f} x {short_mm:.1f} mm"
                self.report.details.append(f"{name}: new, {size} on slice {mark.outcome.slice_index + 1}")
            else:
                self.report.reasons[mark.outcome.reason] += 1
                self.report.details.append(f"{name}: rejected, {mark.outcome.reason}, {mark.outcome.detail}")


def _odd(volume: Volume, context: range) -> list[str]:
    """What a lesion's reviewer should know of its volume."""
    gap = any(place in context and place + 1 in context for place in volume.stack.gaps)
    return [MISSING_SLICES] * gap + [CONTRADICTORY_SPACING] * bool(volume.contradiction)
