"""The bookmarks of one study, each with what becomes of it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from datasets.models import Annotation, Collection
from datasets.models.annotation import Reason
from datasets.pacs import readers
from datasets.pacs.deidentify import Pseudonymiser
from datasets.pacs.instance import Instance
from datasets.pacs.placing import Rejected, StudyImages
from datasets.pacs.readers import Bookmark
from datasets.pacs.resolve import Flag, Measurement, resolve
from datasets.pacs.source import Source, Unreadable

AXES = ("long", "short")


@dataclass(frozen=True)
class Mark:
    """One bookmark on its way to becoming a lesion."""

    bookmark: Bookmark
    outcome: Measurement | Rejected
    fingerprint: str
    """Keyed hash of where it stands in its report."""
    geometry: str
    """Keyed hash of slice and vertices; empty for what is no measurement."""
    place: str
    """Where its report lies in the source, for the terminal."""

    @property
    def measurement(self) -> Measurement:
        """The outcome of a mark that is known to be a measurement."""
        if not isinstance(self.outcome, Measurement):
            raise TypeError("this mark is no measurement")
        return self.outcome

    def because(self, reason: Reason, detail: str) -> "Mark":
        """The same mark, refused."""
        rejected = Rejected(readers.Reason(reason), detail, self.outcome.modality)
        return Mark(self.bookmark, rejected, self.fingerprint, "", self.place)


def read_marks(
    source: Source, instances: list[Instance], pseudonymiser: Pseudonymiser, check: Callable[[], None]
) -> Iterator[Mark]:
    """Read every annotation object of a study and put its bookmarks on the study's slices.

    `check` is called before each object; what it raises ends the reading.
    """
    images = StudyImages(instances)
    for instance in instances:
        if not readers.is_annotation(instance):
            continue
        check()
        unsupported = readers.unsupported(instance)
        try:
            bookmarks = [unsupported] if unsupported else readers.read(source.read(instance))
        except Unreadable as error:
            bookmarks = [readers.undecodable(instance, str(error))]
        for bookmark in bookmarks:
            outcome = resolve(bookmark, images)
            yield Mark(
                bookmark=bookmark,
                outcome=outcome,
                fingerprint=pseudonymiser.digest("annotation", bookmark.report, bookmark.item),
                geometry=pseudonymiser.digest("mark", str(outcome.mark)) if isinstance(outcome, Measurement) else "",
                place=instance.locator,
            )


def annotation_of(mark: Mark, collection: Collection, study: str, year: int | None, again: bool) -> Annotation:
    """The row of a mark; `again` when the same mark was saved before."""
    bookmark, outcome = mark.bookmark, mark.outcome
    rejected = outcome if isinstance(outcome, Rejected) else None
    return Annotation(
        collection=collection,
        fingerprint=mark.fingerprint,
        geometry=mark.geometry,
        carrier=bookmark.carrier,
        tool=bookmark.tool,
        modality=outcome.modality,
        year=year,
        study=study,
        label=bookmark.label,
        follow_up=bookmark.follow_up,
        reported_long_mm=bookmark.long_mm,
        reported_short_mm=bookmark.short_mm,
        reason=rejected.reason if rejected else Reason.SAVED_AGAIN if again else Reason.NONE,
        detail=rejected.detail[:300] if rejected else "",
    )


FLAGS = {
    Flag.SPACING_CORRECTED: "The coordinates were divided by the wrong pixel spacing and have been corrected.",
    Flag.DUPLICATE_POSITION: "Another slice of the series lies at the same position.",
    Flag.AMBIGUOUS_SERIES: "It may have been drawn on another series of the study; the nearest slice is taken.",
}


def flag_sentences(mark: Mark) -> dict[Flag, str]:
    """What is odd with a measurement, for its reviewer."""
    return {
        flag: _lengths(mark) if flag is Flag.LENGTH_DISAGREES else FLAGS[flag]
        for flag in sorted(mark.measurement.flags)
    }


def _lengths(mark: Mark) -> str:
    reported = (mark.bookmark.long_mm, mark.bookmark.short_mm)
    said, found = (
        ", ".join(f"{name} {length:.4g} mm" for name, length in zip(AXES, each, strict=True) if length is not None)
        for each in (reported, mark.measurement.reported_axes_mm)
    )
    return f"The reported lengths are not those of the points: reported {said}; computed {found}."


def known(marks: Iterable[Mark], collection: Collection) -> dict[str, str]:
    """Fingerprints that an earlier harvest recorded, with the reason it gave."""
    if collection.pk is None:
        return {}
    fingerprints = [mark.fingerprint for mark in marks]
    rows = Annotation.objects.filter(collection=collection, fingerprint__in=fingerprints)
    return dict(rows.values_list("fingerprint", "reason"))


def taken(marks: Iterable[Mark], collection: Collection) -> set[str]:
    """Geometries that are lesions already."""
    if collection.pk is None:
        return set()
    geometries = [mark.geometry for mark in marks if mark.geometry]
    rows = Annotation.objects.filter(collection=collection, geometry__in=geometries, reason=Reason.NONE)
    return set(rows.values_list("geometry", flat=True))
