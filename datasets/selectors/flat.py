"""Lesions as flat rows, for tables of any length: columns are read as they are, no model is built for a row."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce

from datasets import dl_info
from datasets.models import Lesion
from datasets.selectors import digits
from datasets.selectors.visibility import Visibility, members

_CHUNK = 2000
_SERIES = "slice__series"
_STUDY = f"{_SERIES}__study"
_PATIENT = f"{_STUDY}__patient"

_FIELDS = {
    "id": "id",
    "file_name": None,
    "collection": f"{_PATIENT}__collection__slug",
    "patient": f"{_PATIENT}__number",
    "study": f"{_STUDY}__number",
    "series": f"{_SERIES}__number",
    "slice": "slice__number",
    **{name: name for name in ("first_slice", "last_slice", "number")},
    "type": None,
    "type_code": "type",
    "long_mm": "long_um",
    "short_mm": "short_um",
    **{name: name for name in ("long_px", "short_px")},
    **{name: name for name in ("x11", "y11", "x12", "y12", "x21", "y21", "x22", "y22")},
    **{name: name for name in ("box_x1", "box_y1", "box_x2", "box_y2")},
    "spacing_x_mm": f"{_SERIES}__spacing_x",
    "spacing_y_mm": f"{_SERIES}__spacing_y",
    "slice_interval_mm": "own_interval",
    **{name: name for name in ("mean_hu", "std_hu", "min_hu", "max_hu", "x", "y", "z", "location_source")},
    "possibly_noisy": "possibly_noisy",
    "sex": f"{_PATIENT}__sex",
    "age": f"{_STUDY}__age",
    "follow_up": "follow_up__number",
    "releases": None,
}
COLUMNS = tuple(_FIELDS)
"""Pixel coordinates are 0-based; `releases` reads `release:split`, with blanks between."""

_DIGITS = {
    **dict.fromkeys(("long_px", "short_px", "x11", "y11", "x12", "y12", "x21", "y21", "x22", "y22"), digits.PIXELS),
    **dict.fromkeys(("box_x1", "box_y1", "box_x2", "box_y2"), digits.PIXELS),
    **dict.fromkeys(("spacing_x_mm", "spacing_y_mm"), digits.SPACING),
    "slice_interval_mm": digits.MILLIMETRES,
    **dict.fromkeys(("mean_hu", "std_hu", "min_hu", "max_hu"), digits.HOUNSFIELD),
    **dict.fromkeys(("x", "y", "z"), digits.BODY),
}

_READ = {name: field for name, field in _FIELDS.items() if field}
_AT = {name: index for index, name in enumerate(_READ)}
_ROUND = [(_AT[name], number) for name, number in _DIGITS.items()]
_MICROMETRES = (_AT["long_mm"], _AT["short_mm"])


def lesion_rows(rows: QuerySet[Lesion], visibility: Visibility) -> Iterator[tuple[Any, ...]]:
    """Give the cells of `COLUMNS` for each lesion in the order of `rows`, with a query per two thousand of them."""
    own = Coalesce(F("slice__slice_interval"), F(f"{_SERIES}__slice_interval"))
    found = rows.annotate(own_interval=own).values_list(*_READ.values()).iterator(chunk_size=_CHUNK)
    while chunk := list(islice(found, _CHUNK)):
        held = _memberships([row[0] for row in chunk], visibility)
        for row in chunk:
            yield _cells(row, held.get(row[0], ""))


def _memberships(lesions: list[int], visibility: Visibility) -> dict[int, str]:
    texts: dict[int, str] = {}
    found = members(visibility).filter(lesion__in=lesions).order_by("release_id")
    for lesion, release, split in found.values_list("lesion_id", "release__name", "member__split"):
        text = f"{release}:{dl_info.SPLITS[split]}"
        texts[lesion] = f"{texts[lesion]} {text}" if lesion in texts else text
    return texts


def _cells(values: tuple[Any, ...], releases: str) -> tuple[Any, ...]:
    row = list(values)
    for place, number in _ROUND:
        row[place] = digits.rounded(row[place], number)
    for place in _MICROMETRES:
        row[place] /= 1000
    patient, study, series, slice_number = (row[_AT[name]] for name in ("patient", "study", "series", "slice"))
    noisy, follow_up = _AT["possibly_noisy"], _AT["follow_up"]
    name = f"{dl_info.folder_name(patient, study, series)}_{dl_info.slice_name(slice_number)}"
    kind = _AT["type_code"]
    return (
        row[0],
        name,
        *row[1:kind],
        dl_info.TYPES[row[kind]],
        *row[kind:noisy],
        int(row[noisy]),
        *row[noisy + 1 : follow_up],
        "" if row[follow_up] is None else f"F{row[follow_up]:02d}",
        releases,
    )
