"""The filters of patients, studies and series."""

from datasets.models import Patient, Series, Study
from deeplesion_site.api.filters import SEXES, VisibleFilterSet, collection_of, number_of, one_of


class PatientFilter(VisibleFilterSet):
    collection = collection_of("collection__slug")
    number = number_of("number", "Patient number")
    sex = one_of(SEXES, "Sex", field_name="sex")

    class Meta:
        model = Patient
        fields: tuple[str, ...] = ()


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
