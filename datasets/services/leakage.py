"""Leaks: what would be in two splits of one release, so that a detector is tested on what it was trained on."""

from collections.abc import Callable

from django.db.models import Count

from datasets import dl_info
from datasets.models import Release, ReleaseLesion, Slice
from datasets.services import release_contents
from datasets.services.errors import Refused

_LEVELS = {
    "patient": "lesion__slice__series__study__patient",
    "study": "lesion__slice__series__study",
    "series": "lesion__slice__series",
}


Contexts = dict[int, release_contents.Context]


class Leak(Refused):
    """Two splits share a patient, a study, a series or a picture."""


def check(release: Release, alive: Callable[[], None] = lambda: None) -> dict[str, int]:
    """Look for leaks on every level, by the lesions' own place and not by what the split was meant to be.

    Parameters
    ----------
    alive : called between the levels; what it raises ends this.

    Returns
    -------
    What was seen of the pixels: `slices` that were compared, `slices_unhashed` that were not although their images
    are there, and `key_slices_without` an image.

    Raises
    ------
    Leak : the first that is found.
    """
    for level, path in _LEVELS.items():
        alive()
        members = ReleaseLesion.objects.filter(release=release).order_by()
        shared = members.values(path).annotate(splits=Count("member__split", distinct=True)).filter(splits__gt=1)
        found = members.filter(**{f"{path}__in": shared.values(path)}).select_related(_LEVELS["patient"]).first()
        if found is not None:
            folder = found.lesion.slice.series.folder
            raise Leak(f"{release.name}: the {level} of {folder} is in more than one split")
    alive()
    contexts = release_contents.contexts(release)
    _check_pixels(release, contexts)
    return _seen(release, contexts)


def _check_pixels(release: Release, contexts: Contexts) -> None:
    of_collection = Slice.objects.filter(series__study__patient__collection=release.collection_id).order_by()
    hashed = of_collection.filter(stored=True).exclude(pixel_hash="")
    repeated = hashed.values("pixel_hash").annotate(n=Count("id")).filter(n__gt=1).values("pixel_hash")
    seen: dict[str, tuple[int, Slice]] = {}
    for image in hashed.filter(pixel_hash__in=repeated).select_related("series__study__patient").order_by("id"):
        context = contexts.get(image.series_id)
        if context is None or not context.holds(image.number):
            continue
        split, first = seen.setdefault(image.pixel_hash, (context.split, image))
        if split != context.split:
            names = dl_info.SPLITS[split], dl_info.SPLITS[context.split]
            raise Leak(
                f"{release.name}: {first.file_name} and {image.file_name} are the same picture, "
                f"but one is in {names[0]} and one in {names[1]}"
            )


def _seen(release: Release, contexts: Contexts) -> dict[str, int]:
    of_collection = Slice.objects.filter(series__study__patient__collection=release.collection_id).order_by()
    counts = {"slices": 0, "slices_unhashed": 0}
    columns = of_collection.filter(stored=True).values_list("series_id", "number", "pixel_hash")
    for series, number, digest in columns.iterator(chunk_size=10_000):
        if series in contexts and contexts[series].holds(number):
            counts["slices" if digest else "slices_unhashed"] += 1
    imageless = ReleaseLesion.objects.filter(release=release, lesion__slice__stored=False)
    return {**counts, "key_slices_without": imageless.order_by().values("lesion__slice").distinct().count()}
