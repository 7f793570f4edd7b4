"""How large things are, as the database knows them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Avg, QuerySet

from datasets.models import Collection, Lesion, Release, ReleaseLesion, ReleaseManifest, Slice
from detection.models import TrainingRun

SAMPLE = 10_000
"""Of the newest stored slices the mean is taken; that of a whole hospital's takes a second."""


@dataclass(frozen=True)
class Size:
    """How much there is to work on."""

    lesions: int
    slices: int
    """With a lesion."""


def of_collection(slug: str) -> Size | None:
    """The lesions of a collection; None where there is no such collection."""
    if not Collection.objects.filter(slug=slug).exists():
        return None
    return _size(Lesion.objects.filter(slice__series__study__patient__collection__slug=slug))


def release(name: str) -> Release | None:
    """A published release with its collection."""
    published = Release.objects.filter(name=name, state=Release.State.PUBLISHED)
    return published.select_related("collection").first()


def of_release(found: Release, splits: Iterable[int]) -> Size:
    """The lesions of a release in some of its splits."""
    members = ReleaseLesion.objects.filter(release=found, member__split__in=list(splits))
    return _size(Lesion.objects.filter(pk__in=members.values("lesion")))


def run(pk: int) -> TrainingRun | None:
    """A run."""
    return TrainingRun.objects.defer("curve").filter(pk=pk).first()


def stored_slices(slug: str) -> int:
    """How many slices of a collection are stored."""
    return Slice.objects.filter(series__study__patient__collection__slug=slug, stored=True).count()


def bytes_of_release(found: Release) -> int | None:
    """How large the files of a release are together; None while its downloads are not prepared."""
    return ReleaseManifest.objects.filter(release=found).values_list("bytes", flat=True).first()


def mean_slice_bytes() -> int | None:
    """Of a stored slice's PNG, over the newest ones; None where none is stored."""
    newest = Slice.objects.filter(stored=True, bytes__isnull=False).order_by("-id")[:SAMPLE]
    found: dict[str, Any] = Slice.objects.filter(pk__in=newest.values("pk")).aggregate(mean=Avg("bytes"))
    return None if found["mean"] is None else round(found["mean"])


def _size(lesions: QuerySet[Lesion]) -> Size:
    return Size(lesions.count(), lesions.order_by().values("slice").distinct().count())
