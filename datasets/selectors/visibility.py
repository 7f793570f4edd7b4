"""Who may see which rows, as querysets, so that no page or endpoint starts from a whole table."""

from enum import Enum

from django.db.models import Exists, OuterRef, QuerySet

from datasets.models import (
    Collection,
    Lesion,
    Patient,
    Release,
    ReleaseLesion,
    ReleasePatient,
    Series,
    Slice,
    Study,
)


class Visibility(Enum):
    """How much of the dataset a person sees."""

    NOTHING = "nothing"
    PUBLISHED = "published"
    EVERYTHING = "everything"


def releases(visibility: Visibility) -> QuerySet[Release]:
    """Releases, newest first; drafts are for those who see everything."""
    if visibility is Visibility.NOTHING:
        return Release.objects.none()
    found = Release.objects.select_related("collection", "manifest")
    return found if visibility is Visibility.EVERYTHING else found.filter(state=Release.State.PUBLISHED)


def collections(visibility: Visibility) -> QuerySet[Collection]:
    """Collections with at least one visible release, or all."""
    if visibility is Visibility.EVERYTHING:
        return Collection.objects.all()
    return Collection.objects.filter(Exists(releases(visibility).filter(collection=OuterRef("pk")))).order_by("slug")


def members(visibility: Visibility) -> QuerySet[ReleaseLesion]:
    """Memberships in visible releases."""
    if visibility is Visibility.NOTHING:
        return ReleaseLesion.objects.none()
    if visibility is Visibility.EVERYTHING:
        return ReleaseLesion.objects.all()
    return ReleaseLesion.objects.filter(release__in=Release.objects.filter(state=Release.State.PUBLISHED).values("pk"))


def lesions(visibility: Visibility) -> QuerySet[Lesion]:
    """Lesions, those merged into others included."""
    if visibility is Visibility.EVERYTHING:
        return Lesion.objects.all()
    return Lesion.objects.filter(Exists(members(visibility).filter(lesion=OuterRef("pk"))))


def patients(visibility: Visibility) -> QuerySet[Patient]:
    """Patients of visible releases, or all."""
    if visibility is Visibility.EVERYTHING:
        return Patient.objects.all()
    if visibility is Visibility.NOTHING:
        return Patient.objects.none()
    published = Release.objects.filter(state=Release.State.PUBLISHED).values("pk")
    return Patient.objects.filter(Exists(ReleasePatient.objects.filter(patient=OuterRef("pk"), release__in=published)))


def in_release(
    rows: QuerySet[Patient], visibility: Visibility, *, release: str = "", splits: tuple[int, ...] = ()
) -> QuerySet[Patient]:
    """Keep patients of a visible release, by its name, and of some of its splits; empty means any."""
    named = Release.objects.filter(name=release) if release else Release.objects.all()
    shown = named.filter(pk__in=releases(visibility).values("pk"))
    found = ReleasePatient.objects.filter(patient=OuterRef("pk"), release__in=shown.values("pk"))
    return rows.filter(Exists(found.filter(split__in=splits) if splits else found))


def studies(visibility: Visibility) -> QuerySet[Study]:
    """Studies that hold a visible lesion, or all."""
    if visibility is Visibility.EVERYTHING:
        return Study.objects.all()
    return Study.objects.filter(Exists(members(visibility).filter(lesion__slice__series__study=OuterRef("pk"))))


def series(visibility: Visibility) -> QuerySet[Series]:
    """Series that hold a visible lesion, or all."""
    if visibility is Visibility.EVERYTHING:
        return Series.objects.all()
    return Series.objects.filter(Exists(members(visibility).filter(lesion__slice__series=OuterRef("pk"))))


def slices(visibility: Visibility) -> QuerySet[Slice]:
    """Slices within the context of a visible lesion, or all."""
    found = Slice.objects.select_related("series__study__patient__collection")
    if visibility is Visibility.EVERYTHING:
        return found
    around = members(visibility).filter(
        lesion__slice__series=OuterRef("series"),
        lesion__first_slice__lte=OuterRef("number"),
        lesion__last_slice__gte=OuterRef("number"),
    )
    return found.filter(Exists(around))
