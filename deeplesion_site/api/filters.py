"""The filters of lesions: the same names and meanings on the list page and in the API."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import cache
from typing import Any

import django_filters
from django.db.models import F, FloatField, QuerySet
from django.db.models.functions import Coalesce
from drf_spectacular.utils import extend_schema_field

from datasets import dl_info
from datasets.models import Lesion, Patient
from datasets.selectors import lesions as lesion_selectors
from datasets.selectors.paging import LESION_ORDERS
from datasets.selectors.visibility import Visibility, collections, releases
from deeplesion_site.api import fields

_STUDY = "slice__series__study"
SEXES = [(value, str(label)) for value, label in Patient.Sex.choices if value]

ORDERING_LABELS = {
    "file": "File name",
    "-long_mm": "Long diameter, large first",
    "long_mm": "Long diameter, small first",
    "-short_mm": "Short diameter, large first",
    "short_mm": "Short diameter, small first",
    "-file": "File name, last first",
    "id": "Number, oldest first",
    "-id": "Number, newest first",
}


class NamesFilter(django_filters.ChoiceFilter):
    """One of some names that are known beforehand."""

    field_class = fields.Choice


def one_of(choices: list[tuple[str, str]], label: str, *, default: str = "", **kwargs: Any) -> Any:
    """Make the filter of some names; without a `default` leaving it empty means any."""
    blank = [] if default else [("", "any")]
    names = {"type": "string", "enum": [name for name, _ in choices], **({"default": default} if default else {})}
    meaning = ", ".join(f"`{name}` {words}" for name, words in choices)
    said = {**names, "description": f"{label}: {meaning}"}
    return extend_schema_field(said)(NamesFilter(choices=blank + choices, label=label, **kwargs))


class TextFilter(django_filters.CharFilter):
    """A name; which ones there are is up to what the account sees."""


def name_of(label: str, said: str, **kwargs: Any) -> Any:
    """Make the filter of a name; `said` is what the schema says of it."""
    return extend_schema_field({"type": "string", "description": said})(TextFilter(label=label, **kwargs))


def collection_of(field: str) -> Any:
    """Make the filter of a collection."""
    return name_of("Collection", "Collection, by its slug", field_name=field)


class CodesFilter(django_filters.Filter):
    """Names or codes, repeated or with commas between."""

    field_class = fields.Codes

    def filter(self, qs: QuerySet[Any], value: list[str] | None) -> QuerySet[Any]:
        if not value:
            return qs
        return qs.filter(**{f"{self.field_name}__in": codes(value, self.extra["vocabulary"])})


def codes(names: list[str], vocabulary: dict[int, str]) -> tuple[int, ...]:
    """The codes of some names."""
    return tuple(code for code, name in vocabulary.items() if name in names)


def codes_of(vocabulary: dict[int, str], label: str, **kwargs: Any) -> Any:
    """Make the filter of some of a vocabulary's names or codes."""
    names = {"type": "array", "items": {"type": "string", "enum": list(vocabulary.values())}}
    written = ", ".join(f"{code} {name}" for code, name in vocabulary.items())
    said = {**names, "description": f"Repeated, or with commas between; codes do as well: {written}."}
    return extend_schema_field(said)(CodesFilter(vocabulary=vocabulary, label=label, **kwargs))


class NumberFilter(django_filters.NumberFilter):
    """A number between two limits."""

    field_class = fields.Number

    def get_max_validator(self) -> None:
        """Not a second limit beside the field's own."""


class LengthFilter(NumberFilter):
    """Millimetres against a column of whole micrometres: what is shown is what is filtered."""

    def filter(self, qs: QuerySet[Any], value: Decimal | None) -> QuerySet[Any]:
        if value is None:
            return qs
        rounding = ROUND_CEILING if self.lookup_expr == "gte" else ROUND_FLOOR
        return super().filter(qs, int((value * 1000).to_integral_value(rounding)))


def between(low: int, high: int, field: str, label: str, lookup: str = "exact", *, whole: bool = False) -> Any:
    """Make the filter of a number from `low` to `high`; the schema says so too."""
    said = {"type": "integer" if whole else "number", "minimum": low, "maximum": high, "description": label}
    kind = LengthFilter if field.endswith("_um") else NumberFilter
    places = {"decimal_places": 0} if whole else {}
    limits = {"min_value": low, "max_value": high, **places}
    return extend_schema_field(said)(kind(field_name=field, lookup_expr=lookup, label=label, **limits))


def number_of(field: str, label: str) -> Any:
    """Make the filter of a number that counts from 1."""
    return between(1, 999_999_999, field, label, whole=True)


class VisibleFilterSet(django_filters.FilterSet):
    """Give it `visibility=`: collections and releases are checked against what that lets one see."""

    def __init__(self, *args: Any, visibility: Visibility = Visibility.NOTHING, **kwargs: Any) -> None:
        self.visibility = visibility
        super().__init__(*args, **kwargs)

    def get_form_class(self) -> Any:
        """Releases and collections are offered as choices and checked like the rest."""
        form = super().get_form_class()
        offered = {"collection": self._collections, "release": self._releases}
        extra = {
            name: fields.Choice(choices=cache(choices), required=False, label=name.capitalize())
            for name, choices in offered.items()
            if name in self.base_filters
        }
        return type("VisibleForm", (form,), extra)

    def _collections(self) -> list[tuple[str, str]]:
        return [("", "any"), *collections(self.visibility).values_list("slug", "title")]

    def _releases(self) -> list[tuple[str, str]]:
        return [("", "any"), *((name, name) for name in releases(self.visibility).values_list("name", flat=True))]


class LesionFilter(VisibleFilterSet):
    """Without a queryset it starts from all lesions that may be seen."""

    collection = collection_of(f"{_STUDY}__patient__collection__slug")
    release = name_of("Release", "Release, by its name", method="keep")
    split = codes_of(dl_info.SPLITS, "Split", method="keep")
    type = codes_of(dl_info.TYPES, "Type")
    sex = one_of(SEXES, "Sex", field_name=f"{_STUDY}__patient__sex")
    age__gte = between(0, 150, f"{_STUDY}__age", "Age from (years)", "gte", whole=True)
    age__lte = between(0, 150, f"{_STUDY}__age", "Age to (years)", "lte", whole=True)
    long_mm__gte = between(0, 4000, "long_um", "Long diameter from (mm)", "gte")
    long_mm__lte = between(0, 4000, "long_um", "Long diameter to (mm)", "lte")
    short_mm__gte = between(0, 4000, "short_um", "Short diameter from (mm)", "gte")
    short_mm__lte = between(0, 4000, "short_um", "Short diameter to (mm)", "lte")
    x__gte = between(0, 1, "x", "x from (0 patient's right, 1 left)", "gte")
    x__lte = between(0, 1, "x", "x to (0 patient's right, 1 left)", "lte")
    y__gte = between(0, 1, "y", "y from (0 front, 1 back)", "gte")
    y__lte = between(0, 1, "y", "y to (0 front, 1 back)", "lte")
    z__gte = between(0, 1, "z", "z from (0 head, 1 feet)", "gte")
    z__lte = between(0, 1, "z", "z to (0 head, 1 feet)", "lte")
    slice_interval__gte = between(0, 1000, "interval", "Slice interval from (mm)", "gte")
    slice_interval__lte = between(0, 1000, "interval", "Slice interval to (mm)", "lte")
    noisy = one_of(
        [("true", "possibly noisy only"), ("false", "without noisy ones")], "Possibly noisy", method="keep_noisy"
    )
    patient = number_of(f"{_STUDY}__patient__number", "Patient number")
    study = number_of(f"{_STUDY}__number", "Study number")
    ordering = one_of(list(ORDERING_LABELS.items()), "Sort by", default="file", method="keep")

    class Meta:
        model = Lesion
        fields: tuple[str, ...] = ()

    def __init__(
        self, data: Any = None, queryset: Any = None, *, visibility: Visibility = Visibility.NOTHING, **kwargs: Any
    ) -> None:
        rows = lesion_selectors.listed(visibility) if queryset is None else queryset
        super().__init__(data, rows, visibility=visibility, **kwargs)

    def keep(self, queryset: QuerySet[Lesion], name: str, value: Any) -> QuerySet[Lesion]:
        """Leave it to `filter_queryset`, which looks at several parameters together."""
        return queryset

    def keep_noisy(self, queryset: QuerySet[Lesion], name: str, value: str) -> QuerySet[Lesion]:
        return queryset.filter(possibly_noisy=value == "true")

    def filter_queryset(self, queryset: QuerySet[Lesion]) -> QuerySet[Lesion]:
        given = self.form.cleaned_data
        if given.get("slice_interval__gte") is not None or given.get("slice_interval__lte") is not None:
            queryset = queryset.annotate(
                interval=Coalesce(
                    F("slice__slice_interval"), F("slice__series__slice_interval"), output_field=FloatField()
                )
            )
        queryset = super().filter_queryset(queryset)
        if given.get("release") or given.get("split"):
            queryset = lesion_selectors.in_release(
                queryset,
                self.visibility,
                release=given["release"],
                splits=codes(given["split"], dl_info.SPLITS),
            )
        return queryset

    @property
    def order(self) -> tuple[str, ...]:
        """The order that was asked for, by file name when none was."""
        given = self.form.cleaned_data.get("ordering") if self.form.is_valid() else None
        return LESION_ORDERS[given or "file"]
