"""Lesions as lists and pages show them."""

from random import Random

from django.db.models import Exists, F, OuterRef, Prefetch, Q, QuerySet

from datasets.models import STANDING, Collection, FollowUp, Lesion, Release, ReleaseLesion, Slice
from datasets.selectors.visibility import Visibility, lesions, members, slices

_PLACE = "slice__series__study__patient__collection"
_STRETCH = 3000


def listed(visibility: Visibility) -> QuerySet[Lesion]:
    """Lesions that count: what was merged into another is left to that one's page."""
    found = lesions(visibility)
    return found.filter(STANDING) if visibility is Visibility.EVERYTHING else found


def with_place(rows: QuerySet[Lesion], visibility: Visibility) -> QuerySet[Lesion]:
    """Fetch what a row of a list shows in two queries, however many rows there are."""
    shown = members(visibility).select_related("release", "member").order_by("release_id")
    return rows.select_related(_PLACE, "follow_up").prefetch_related(
        Prefetch("memberships", queryset=shown, to_attr="shown_memberships")
    )


def shown_memberships(lesion: Lesion) -> list[ReleaseLesion]:
    """Memberships that `with_place` fetched: those in releases that may be seen."""
    found: list[ReleaseLesion] = vars(lesion)["shown_memberships"]
    return found


def in_release(
    rows: QuerySet[Lesion], visibility: Visibility, *, release: str = "", splits: tuple[int, ...] = ()
) -> QuerySet[Lesion]:
    """Keep members of a release, by its name, and of some of its splits; empty means any."""
    found = members(visibility).filter(lesion=OuterRef("pk"))
    if release:
        found = found.filter(release__in=Release.objects.filter(name=release).values("pk"))
    if splits:
        found = found.filter(member__split__in=splits)
    return rows.filter(Exists(found))


def located(rows: QuerySet[Lesion]) -> QuerySet[Lesion]:
    """Lesions with a place on the map."""
    return rows.filter(x__isnull=False, z__isnull=False)


def sample(rows: QuerySet[Lesion], count: int, seed: int) -> list[Lesion]:
    """A few lesions with pictures, drawn from a stretch at a random place of the table, never sorting it whole.

    Those that may be noise are no example; lesions of an unknown type come last.
    """
    shown = rows.filter(slice__stored=True, possibly_noisy=False).order_by("id")
    last = shown.order_by("-id").values_list("id", flat=True).first()
    if last is None:
        return []
    random = Random(seed)  # noqa: S311 - it chooses pictures to show, not secrets
    start = random.randint(1, last)
    found = list(shown.filter(id__gte=start).values_list("id", flat=True)[:_STRETCH])
    if len(found) < _STRETCH:
        found += shown.filter(id__lt=start).values_list("id", flat=True)[: _STRETCH - len(found)]
    picked = random.sample(found, min(count, len(found)))
    chosen = Lesion.objects.filter(pk__in=picked).select_related(_PLACE)
    return sorted(chosen, key=lambda lesion: (lesion.type < 1, lesion.type, lesion.pk))


def get(pk: int, visibility: Visibility) -> Lesion | None:
    """One lesion with its place, memberships, annotation and what it was merged from."""
    return (
        with_place(lesions(visibility), visibility)
        .select_related("annotation", "merged_into__slice__series__study__patient")
        .prefetch_related(
            Prefetch(
                "merged_from",
                queryset=Lesion.objects.select_related("slice__series__study__patient").order_by("id"),
            ),
            Prefetch(
                "sources",
                queryset=Lesion.objects.select_related("slice__series__study__patient").order_by("id"),
            ),
        )
        .filter(pk=pk)
        .first()
    )


def context_slices(lesion: Lesion, visibility: Visibility) -> list[Slice]:
    """Stored slices of the context around a lesion, head to feet, the key slice always among them."""
    return list(
        slices(visibility)
        .filter(
            Q(stored=True) | Q(pk=lesion.slice_id),
            series_id=lesion.slice.series_id,
            number__gte=lesion.first_slice,
            number__lte=lesion.last_slice,
        )
        .order_by("number")
    )


def on_same_slice(lesion: Lesion, visibility: Visibility) -> list[Lesion]:
    """The other lesions of its slice."""
    return list(
        listed(visibility)
        .filter(slice=lesion.slice_id)
        .exclude(pk=lesion.pk)
        .select_related("slice__series__study__patient")
        .order_by("number")
    )


def over_time(follow_up: FollowUp, visibility: Visibility) -> list[Lesion]:
    """The same lesion in the order of its studies."""
    return list(
        listed(visibility)
        .filter(follow_up=follow_up)
        .select_related("slice__series__study__patient")
        .order_by(
            F("slice__series__study__days_since_first").asc(nulls_last=True), "slice__series__study__number", "id"
        )
    )


def in_collection(rows: QuerySet[Lesion], collection: Collection) -> QuerySet[Lesion]:
    """Keep the lesions of one collection."""
    return rows.filter(slice__series__study__patient__collection=collection)


def count(rows: QuerySet[Lesion], limit: int) -> int:
    """Count lesions, but no further than `limit`."""
    return rows.order_by()[:limit].count()
