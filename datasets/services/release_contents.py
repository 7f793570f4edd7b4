"""What a release holds, one lesion or slice at a time, however large it is: the lines of its table and its images."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from django.db.models import QuerySet

from datasets import dl_info
from datasets.models import Release, ReleaseLesion, Series, Slice

CHUNK = 200
"""Series whose slices are read at a time."""


@dataclass(slots=True)
class Context:
    """The slices of one series that a release takes: those around its lesions."""

    split: int
    ranges: set[tuple[int, int]] = field(default_factory=set)
    """First and last slice."""

    def holds(self, number: int) -> bool:
        """Tell whether a slice is among them."""
        return any(first <= number <= last for first, last in self.ranges)


def contexts(release: Release, split: int | None = None) -> dict[int, Context]:
    """The contexts by series id, in the order of patients, studies and series."""
    members = ReleaseLesion.objects.filter(release=release)
    if split is not None:
        members = members.filter(member__split=split)
    found: dict[int, Context] = {}
    columns = "lesion__slice__series_id", "member__split", "lesion__first_slice", "lesion__last_slice"
    for series, code, first, last in members.order_by("id").values_list(*columns).iterator():
        found.setdefault(series, Context(code)).ranges.add((first, last))
    return found


def slices(release: Release, split: int | None = None) -> Iterator[Slice]:
    """The slices of a release or one split; `Slice.path` needs no further query."""
    wanted = contexts(release, split)
    remaining = iter(wanted)
    while chunk := list(islice(remaining, CHUNK)):
        series = Series.objects.select_related("study__patient").in_bulk(chunk)
        stored: dict[int, list[Slice]] = {}
        for image in _stored(release).filter(series_id__in=chunk).order_by("number"):
            stored.setdefault(image.series_id, []).append(image)
        for key in chunk:
            for image in stored.get(key, ()):
                if wanted[key].holds(image.number):
                    image.series = series[key]
                    yield image


def _stored(release: Release) -> QuerySet[Slice]:
    """The slices whose images are there; for a published release, those that were when it was published."""
    if release.published is None:
        return Slice.objects.filter(stored=True)
    return Slice.objects.filter(stored_at__lte=release.published)


def count_slices(release: Release) -> dict[int, int]:
    """Slices per split."""
    counts = dict.fromkeys(dl_info.SPLITS, 0)
    wanted = contexts(release)
    remaining = iter(wanted)
    while chunk := list(islice(remaining, CHUNK)):
        stored = _stored(release).filter(series_id__in=chunk).order_by()
        for key, number in stored.values_list("series_id", "number"):
            counts[wanted[key].split] += wanted[key].holds(number)
    return counts


def csv_lines(release: Release, split: int | None = None) -> Iterator[str]:
    """DL_info.csv of a release or one split, line by line with its end."""
    yield f"{dl_info.HEADER}\n"
    members = ReleaseLesion.objects.filter(release=release)
    if split is not None:
        members = members.filter(member__split=split)
    for line in members.order_by("id").values_list("line", flat=True).iterator():
        yield f"{line}\n"
