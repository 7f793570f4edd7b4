"""Slices and lesions by the file names that releases and detections use."""

import re
from collections.abc import Iterable

from datasets.models import Collection, Lesion, Slice
from datasets.selectors.lesions import listed
from datasets.selectors.visibility import Visibility, slices

_NAME = re.compile(r"(\d{1,9})_(\d{1,9})_(\d{1,9})_(\d{1,9})\.png")


def slices_by_name(collection: Collection, names: Iterable[str], visibility: Visibility) -> dict[str, Slice]:
    """Slices of a collection by `{patient}_{study}_{series}_{slice}.png`, those that there are; one query."""
    wanted = {name: tuple(map(int, found.groups())) for name in names if (found := _NAME.fullmatch(name))}
    rows = slices(visibility).filter(
        series__study__patient__collection=collection,
        series__study__patient__number__in={numbers[0] for numbers in wanted.values()},
        number__in={numbers[3] for numbers in wanted.values()},
    )
    return {row.file_name: row for row in rows if row.file_name in wanted}


def lesions_on(found: Iterable[Slice], visibility: Visibility) -> dict[int, list[Lesion]]:
    """Lesions by the id of their slice; one query."""
    by_slice: dict[int, list[Lesion]] = {}
    for lesion in listed(visibility).filter(slice__in=[each.pk for each in found]).order_by("number"):
        by_slice.setdefault(lesion.slice_id, []).append(lesion)
    return by_slice
