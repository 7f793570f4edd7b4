"""Releases: drafted with a split by patient, published once and then frozen by the database.

A draft fixes which patient goes to which split. Publishing takes their lesions as they then are.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final, Literal

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from datasets import bulk, dl_info
from datasets.models import (
    STANDING,
    STANDING_REVIEW,
    Collection,
    Lesion,
    Patient,
    Release,
    ReleaseLesion,
    ReleasePatient,
    Review,
)
from datasets.selectors.releases import COUNTED
from datasets.services import leakage, release_contents, release_lines
from datasets.services.errors import Refused
from datasets.services.fence import Fence
from datasets.services.hashing import Progress, hash_slices
from datasets.services.split import check_shares, share_out
from datasets.services.turns import take_turn

OFFICIAL: Final = "official"
Shares = tuple[int, int, int]
OnDamage = Callable[[str], None]


class ReleaseRefused(Refused):
    """A release cannot be made or published; the message says why."""


def _unwatched(*_: object) -> None:
    """Nobody watches."""


def find(name: str) -> Release | None:
    """One release by its name."""
    return Release.objects.filter(name=name).first()


def check_name(name: str) -> None:
    """Refuse a name that is taken or not one.

    Raises
    ------
    ReleaseRefused : with the reason.
    """
    if find(name) is not None:
        raise ReleaseRefused(f"there is a release {name} already, and a release never changes; choose another name")
    try:
        Release._meta.get_field("name").clean(name, None)
    except ValidationError as error:
        raise ReleaseRefused(f"{name!r}: {' '.join(error.messages)}") from error


def split_of(text: str) -> Shares | Literal["official"]:
    """Read a split: `official`, or three shares such as 70/15/15.

    Raises
    ------
    ReleaseRefused, split.BadShares
    """
    if text == OFFICIAL:
        return OFFICIAL
    try:
        train, val, test = map(int, text.split("/"))
    except ValueError:
        raise ReleaseRefused(f"{text!r} is neither three whole numbers like 70/15/15 nor {OFFICIAL}") from None
    check_shares((train, val, test))
    return train, val, test


def create(
    name: str,
    collection: Collection,
    *,
    split: Shares | Literal["official"],
    seed: int = 0,
    publish: bool = True,
    on_images: Progress = _unwatched,
    on_damage: OnDamage = _unwatched,
    check: Callable[[], None] = lambda: None,
    fence: Fence = transaction.atomic,
) -> Release:
    """Make a release of a collection.

    Parameters
    ----------
    split : percent of the patients for training, validation and test, or the published split.
    seed : the same seed and data give the same split.
    publish : False leaves a draft.
    on_images, on_damage : see `hashing.hash_slices`, which comes before publishing.
    check : called again and again while the release is written and compared; what it raises ends that, and undoes it.
    fence : entered last, for the moment of publishing: a job's row is not held while everything is compared.

    Raises
    ------
    ReleaseRefused : the name is taken or not one, or there is nothing to release.
    split.BadShares : the shares do not add up to 100, or there are too few patients.
    leakage.Leak : training and test data would share something.
    hashing.MissingImage : an image that was there is not any more.
    """
    check_name(name)
    if publish:
        hash_slices(collection=collection, progress=on_images, on_damage=on_damage)
    method = split if split == OFFICIAL else f"{'/'.join(map(str, split))} by patient, seed {seed}"
    with transaction.atomic():
        take_turn(collection)
        # Another process may have taken the name while slices were hashed.
        check_name(name)
        release = Release.objects.create(name=name, collection=collection, split_method=method)
        patients = _official(collection) if split == OFFICIAL else _shared_out(collection, split, seed)
        fields = ("release_id", "patient_id", "split")
        bulk.insert(ReleasePatient, fields, ((release.pk, patient, code) for patient, code in patients.items()))
        release_lines.write(release, releasable(collection), check)
        if publish:
            _freeze(release, check, fence)
    return release


def publish(name: str, *, on_images: Progress = _unwatched, on_damage: OnDamage = _unwatched) -> Release:
    """Publish a draft with its patients' lesions as they now are.

    Parameters
    ----------
    on_images, on_damage : see `hashing.hash_slices`, which comes first.

    Raises
    ------
    ReleaseRefused : no such draft, or nothing is left of it.
    leakage.Leak : training and test data would share something.
    hashing.MissingImage : an image that was there is not any more.
    """
    draft = Release.objects.select_related("collection").filter(name=name).first()
    if draft is None:
        raise ReleaseRefused(f"there is no release {name}")
    hash_slices(collection=draft.collection, progress=on_images, on_damage=on_damage)
    with transaction.atomic():
        take_turn(draft.collection)
        release = Release.objects.select_for_update().get(pk=draft.pk)
        if release.state == Release.State.PUBLISHED:
            raise ReleaseRefused(f"{name} is published already")
        release.members.all().delete()
        release_lines.write(release, releasable(release.collection))
        release.patients.filter(lesions=None).delete()
        _freeze(release)
    return release


def releasable(collection: Collection) -> QuerySet[Lesion]:
    """The lesions that a release takes: not merged into another, not rejected, with their slice.

    Lesions of a published dataset count without their images as well.
    """
    newest = Review.objects.filter(STANDING_REVIEW, lesion=OuterRef("pk")).order_by("-id").values("verdict")[:1]
    lesions = (
        Lesion.objects.filter(STANDING, slice__series__study__patient__collection=collection)
        .annotate(verdict=Subquery(newest))
        .filter(Q(verdict=None) | ~Q(verdict=Review.Verdict.REJECT))
    )
    if collection.kind == Collection.Kind.PUBLISHED:
        return lesions
    return lesions.filter(slice__stored=True)


def _official(collection: Collection) -> dict[int, int]:
    """The published split, by patient id."""
    lesions = releasable(collection).values("slice__series__study__patient")
    patients = Patient.objects.filter(pk__in=lesions).order_by("number").values_list("pk", "official_split")
    found = {pk: code for pk, code in patients if code is not None}
    if len(found) < len(patients):
        missing = len(patients) - len(found)
        raise ReleaseRefused(f"{missing} patients of {collection.slug} have no published split to take over")
    return found


def _shared_out(collection: Collection, shares: Shares, seed: int) -> dict[int, int]:
    """A split by patient, by patient id."""
    patient = "slice__series__study__patient"
    rows = releasable(collection).order_by().values_list(patient, f"{patient}__number", "type").annotate(n=Count("id"))
    ids: dict[int, int] = {}
    types: dict[int, Counter[int]] = {}
    for pk, number, kind, *_, count in rows:
        ids[number] = pk
        types.setdefault(number, Counter())[kind] += count
    if not types:
        raise ReleaseRefused(f"{collection.slug} has no lesion that could be released")
    placed = share_out(types, shares, seed)
    codes = list(dl_info.SPLITS)
    return {ids[number]: codes[placed[number]] for number in sorted(placed)}


def _freeze(release: Release, check: Callable[[], None] = lambda: None, fence: Fence = transaction.atomic) -> None:
    """Check and count a draft, then publish it; from here on the database refuses every change."""
    if not release.members.exists():
        raise ReleaseRefused(f"{release.name} would hold no lesion")
    bulk.analyze(ReleasePatient, ReleaseLesion)
    check()
    release.compared = leakage.check(release, check)
    check()
    series = "lesion__slice__series"
    found = (
        ReleaseLesion.objects.filter(release=release)
        .order_by()
        .values_list("member__split")
        .annotate(
            Count("member", distinct=True),
            Count(f"{series}__study", distinct=True),
            Count(series, distinct=True),
            Count("id"),
        )
    )
    images = release_contents.count_slices(release)
    check()
    release.counts = {name: dict.fromkeys(COUNTED, 0) for name in dl_info.SPLITS.values()}
    for code, patients, studies, series_count, lesions in found:
        values = patients, studies, series_count, images[code], lesions
        release.counts[dl_info.SPLITS[code]] = dict(zip(COUNTED, values, strict=True))
    located = release.members.order_by().values_list("lesion__location_source", flat=True).distinct()
    release.location_sources = sorted(set(located) - {""})
    release.state = Release.State.PUBLISHED
    release.published = timezone.now()
    with fence():
        release.save()
