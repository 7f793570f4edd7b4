"""The filters of lesions: the same names and meanings on the list page and in the API."""

from collections.abc import Callable
from typing import Any

import django_filters
from django import forms
from django.db.models import F, FloatField, QuerySet
from django.db.models.functions import Coalesce
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field

from datasets import dl_info
from datasets.models import Lesion, Patient
from datasets.selectors import lesions as lesion_selectors
from datasets.selectors.paging import LESION_ORDERS
from datasets.selectors.visibility import Visibility, collections, releases

_STUDY = "slice__series__study"

ORDERING_LABELS = {
    "file": "File name",
    "-long_mm": "Long diameter, largest first",
    "long_mm": "Long diameter, smallest first",
    "-short_mm": "Short diameter, largest first",
    "short_mm": "Short diameter, smallest first",
    "-file": "File name, last first",
    "id": "Number, oldest first",
    "-id": "Number, newest first",
}


class Codes(forms.MultipleChoiceField):
    """Names or codes of a vocabulary, as repeated parameters or with commas between."""

    def __init__(self, vocabulary: dict[int, str], **kwargs: Any) -> None:
        self.vocabulary = vocabulary
        super().__init__(choices=[(name, name) for name in vocabulary.values()], **kwargs)

    def to_python(self, value: Any) -> list[str]:
        words = [word.strip() for text in super().to_python(value) for word in text.split(",")]
        return [self.vocabulary.get(int(word), word) if _is_whole(word) else word for word in words if word]


def _is_whole(word: str) -> bool:
    return word.removeprefix("-").isdecimal() and len(word) < 10


@extend_schema_field(OpenApiTypes.STR)
class TextFilter(django_filters.CharFilter):
    """A name; which ones there are is up to what the account sees."""


@extend_schema_field(
    {"type": "string", "description": "Names or codes; several with commas between, or as repeated parameters."}
)
class CodesFilter(django_filters.Filter):
    """Names or codes, repeated or with commas between."""

    field_class = Codes

    def filter(self, qs: QuerySet[Any], value: list[str] | None) -> QuerySet[Any]:
        if not value:
            return qs
        return qs.filter(**{f"{self.field_name}__in": codes(value, self.extra["vocabulary"])})


def codes(names: list[str], vocabulary: dict[int, str]) -> tuple[int, ...]:
    """The codes of some names."""
    return tuple(code for code, name in vocabulary.items() if name in names)


def _number(field: str, lookup: str, label: str, **kwargs: Any) -> django_filters.NumberFilter:
    return django_filters.NumberFilter(field_name=field, lookup_expr=lookup, label=label, **kwargs)


class LesionFilter(django_filters.FilterSet):
    """Give it `visibility=`; it starts from what that lets one see."""

    collection = TextFilter(field_name=f"{_STUDY}__patient__collection__slug", label="Collection")
    release = TextFilter(method="keep", label="Release")
    split = CodesFilter(vocabulary=dl_info.SPLITS, method="keep", label="Split")
    type = CodesFilter(vocabulary=dl_info.TYPES, label="Type")
    sex = django_filters.ChoiceFilter(
        field_name=f"{_STUDY}__patient__sex",
        choices=[(value, label) for value, label in Patient.Sex.choices if value],
        label="Sex",
    )
    age__gte = _number(f"{_STUDY}__age", "gte", "Age from (years)", min_value=0, max_value=150)
    age__lte = _number(f"{_STUDY}__age", "lte", "Age to (years)", min_value=0, max_value=150)
    long_mm__gte = _number("long_mm", "gte", "Long diameter from (mm)", min_value=0, max_value=4000)
    long_mm__lte = _number("long_mm", "lte", "Long diameter to (mm)", min_value=0, max_value=4000)
    short_mm__gte = _number("short_mm", "gte", "Short diameter from (mm)", min_value=0, max_value=4000)
    short_mm__lte = _number("short_mm", "lte", "Short diameter to (mm)", min_value=0, max_value=4000)
    z__gte = _number("z", "gte", "z from (0 head, 1 feet)", min_value=-10, max_value=10)
    z__lte = _number("z", "lte", "z to (0 head, 1 feet)", min_value=-10, max_value=10)
    slice_interval__gte = _number("interval", "gte", "Slice interval from (mm)", min_value=0, max_value=1000)
    slice_interval__lte = _number("interval", "lte", "Slice interval to (mm)", min_value=0, max_value=1000)
    noisy = django_filters.ChoiceFilter(
        method="keep_noisy",
        choices=[("true", "possibly noisy only"), ("false", "without noisy ones")],
        label="Possibly noisy",
    )
    patient = _number(f"{_STUDY}__patient__number", "exact", "Patient number", min_value=1, max_value=999_999_999)
    study = _number(f"{_STUDY}__number", "exact", "Study number", min_value=1, max_value=999_999_999)
    ordering = django_filters.ChoiceFilter(
        method="keep", choices=list(ORDERING_LABELS.items()), label="Sort by", empty_label=None
    )

    class Meta:
        model = Lesion
        fields: tuple[str, ...] = ()

    def __init__(
        self, data: Any = None, queryset: Any = None, *, visibility: Visibility = Visibility.NOTHING, **kwargs: Any
    ) -> None:
        self.visibility = visibility
        super().__init__(data, lesion_selectors.listed(visibility) if queryset is None else queryset, **kwargs)

    def get_form_class(self) -> Any:
        """Releases, collections and splits are checked like the rest, and offered as choices."""
        form = super().get_form_class()
        names = [(name, name) for name in releases(self.visibility).values_list("name", flat=True)]
        places = list(collections(self.visibility).values_list("slug", "title"))
        choice: Callable[..., forms.ChoiceField] = forms.ChoiceField
        extra = {
            "release": choice(choices=[("", "any"), *names], required=False, label="Release"),
            "collection": choice(choices=[("", "any"), *places], required=False, label="Collection"),
        }
        return type("LesionForm", (form,), extra)

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
