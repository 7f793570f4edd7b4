"""Releases as pages and downloads show them."""

from django.db.models import Count

from datasets import dl_info
from datasets.models import Release, ReleaseLesion
from datasets.selectors.visibility import Visibility, releases

COUNTED = ("patients", "studies", "series", "slices", "lesions")


def get(name: str, visibility: Visibility) -> Release | None:
    """One release by its name."""
    return releases(visibility).filter(name=name).first()


def types_per_split(release: Release) -> dict[int, dict[int, int]]:
    """Lesions of a release per type code and split code."""
    found = (
        ReleaseLesion.objects.filter(release=release)
        .order_by()
        .values_list("lesion__type", "member__split")
        .annotate(n=Count("id"))
    )
    table = {code: dict.fromkeys(dl_info.SPLITS, 0) for code in dl_info.TYPES}
    for kind, split, count in found:
        table[kind][split] = count
    return table


def counts_table(release: Release) -> list[tuple[str, list[int | None], int]]:
    """What a release holds: name, count per split in the order of `dl_info.SPLITS`, and sum."""
    rows = []
    for what in COUNTED:
        per_split = [release.counts.get(split, {}).get(what) for split in dl_info.SPLITS.values()]
        rows.append((what, per_split, sum(count or 0 for count in per_split)))
    return rows


def leaks_looked_for(release: Release) -> str:
    """What the search for leaks saw and what it did not, as sentences; empty for a draft."""
    if not release.compared:
        return ""
    slices, unhashed, without = (
        release.compared[name] for name in ("slices", "slices_unhashed", "key_slices_without")
    )
    text = "No patient, study or series is in two splits"
    if not slices + unhashed:
        return f"{text}. There are no images, so pixels were not compared."
    text += f", and no picture is: the pixels of {_counted(slices, 'slice')} were compared."
    if without:
        text += f" The images of {_counted(without, 'key slice')} are not there, so theirs were not."
    if unhashed:
        text += f" {_counted(unhashed, 'slice')} have no hash, so theirs were not."
    return text


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def state_of_published() -> str:
    """A short text that changes whenever a release is published; keys what is computed from published data."""
    found = Release.objects.filter(state=Release.State.PUBLISHED).order_by("-published").values_list("pk", "published")
    newest = found.first()
    return f"{found.count()}-{newest[0]}-{newest[1]:%Y%m%d%H%M%S%f}" if newest and newest[1] else "none"
