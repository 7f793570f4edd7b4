"""The filters of patients, studies and series."""

from typing import Any

from django.db.models import QuerySet

from datasets import dl_info
from datasets.models import Patient, Series, Study
from datasets.selectors import visibility as visible
from deeplesion_site.api.filters import (
    SEXES,
    VisibleFilterSet,
    codes,
    codes_of,
    collection_of,
    name_of,
    number_of,
    one_of,
)


class PatientFilter(VisibleFilterSet):
    collection = collection_of("collection__slug")
    number = number_of("number", "Patient number")
    sex = one_of(SEXES, "Sex", field_name="sex")
    release = name_of("Release", "Release that the patient is in, by its name", method="keep")
    split = codes_of(dl_info.SPLITS, "Split", method="keep")

    class Meta:
        model = Patient
        fields: tuple[str, ...] = ()

    def keep(self, queryset: QuerySet[Patient], name: str, value: Any) -> QuerySet[Patient]:
        """Leave it to `filter_queryset`: a split is one of the release that is named beside it."""
        return queryset

    def filter_queryset(self, queryset: QuerySet[Patient]) -> QuerySet[Patient]:
        found: QuerySet[Patient] = super().filter_queryset(queryset)
        given = self.form.cleaned_data
        if given["release"] or given["split"]:
            splits = codes(given["split"], dl_info.SPLITS)
            found = visible.in_release(found, self.visibility, release=given["release"], splits=splits)
        return found


class StudyFilter(VisibleFilterSet):
    collection = collection_of("patient__collection__slug")
    patient = number_of("patient__number", "Patient number")

    class Meta:
        model = Study
        fields: tuple[str, ...] = ()


class SeriesFilter(VisibleFilterSet):
    collection = collection_of("study__patient__collection__slug")
    patient = number_of("study__patient__number", "Patient number")
    study = number_of("study__number", "Study number")

    class Meta:
        model = Series
        fields: tuple[str, ...] = ()
