"""What must always hold stands in the database: raw SQL, which no model or service sees, is refused as well."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import Model
from django.utils import timezone

from datasets.models import (
    Lesion,
    LesionLocation,
    LocationModel,
    Patient,
    Release,
    Series,
    Slice,
    SliceLocation,
    SourceIdentity,
    Study,
)
from tests import factories
from tests.datasets.models.raw_sql import insert, refused, run, set_

pytestmark = pytest.mark.django_db


def location_model() -> LocationModel:
    return LocationModel.objects.create(version="v1", trained_on="r")


def slice_location() -> SliceLocation:
    return SliceLocation.objects.create(slice=factories.make_slice(), model=location_model(), z=0.5)


def lesion_location() -> LesionLocation:
    return LesionLocation.objects.create(lesion=factories.make_lesion(), model=location_model(), x=0.1, y=0.2, z=0.3)


@pytest.mark.parametrize(
    ("make", "columns"),
    [
        (factories.make_collection, {"kind": "other"}),
        (factories.make_patient, {"number": 0}),
        (factories.make_patient, {"sex": "X"}),
        (factories.make_patient, {"official_split": 0}),
        (factories.make_patient, {"official_split": 4}),
        (factories.make_study, {"number": 0}),
        (factories.make_study, {"age": 131}),
        (factories.make_series, {"number": 0}),
        (factories.make_series, {"columns": 0}),
        (factories.make_series, {"rows": 0}),
        (factories.make_series, {"spacing_x": 0}),
        (factories.make_series, {"spacing_y": -0.8}),
        (factories.make_slice, {"number": 0}),
        (factories.make_lesion, {"long_um": 1}),
        (factories.make_lesion, {"short_um": 0}),
        (factories.make_lesion, {"long_um": 25_001}),
        (factories.make_lesion, {"short_mm": 15.0006}),
        (factories.make_lesion, {"long_mm": 0.1}),
        (factories.make_lesion, {"short_mm": 0}),
        (factories.make_lesion, {"long_px": 0}),
        (factories.make_lesion, {"short_px": -1}),
        (factories.make_lesion, {"box_x1": 1000}),
        (factories.make_lesion, {"box_y1": 1000}),
        (factories.make_lesion, {"first_slice": 0}),
        (factories.make_lesion, {"first_slice": 1000}),
        (factories.make_lesion, {"type": 9}),
        (factories.make_lesion, {"type": 0}),
        *((factories.make_lesion, {**dict.fromkeys("xyz", 0.5), axis: value})
          for axis in "xyz" for value in (-0.01, 1.01, None)),
        (slice_location, {"z": 1.01}),
        (slice_location, {"z": -0.01}),
        *((lesion_location, {axis: beyond}) for axis in "xyz" for beyond in (-0.01, 1.01, None)),
        (lesion_location, {"unknown": "body"}),
        (lesion_location, {"x": None, "y": None, "z": None}),
        *((lambda: factories.make_release(published=False), {"name": name})
          for name in ("", "Upper", "a b", "-dash", ".dot", "a/b", "a\n", "x" * 65)),
        (lambda: factories.make_release(published=False), {"state": "published"}),
        (lambda: factories.make_release(published=False), {"state": "gone"}),
        (lambda: factories.make_release(published=False), {"published": timezone.now()}),
    ],
)  # fmt: skip
def test_values_beyond_their_range_are_refused(make: Callable[[], Model], columns: dict[str, Any]) -> None:
    row = make()
    refused(*set_(row, **columns))
    row.refresh_from_db()


@pytest.mark.parametrize("verdict", ["perhaps", "", "merge", "withdrawn"])
def test_a_review_of_a_lesion_has_a_known_verdict(verdict: str) -> None:
    review = factories.make_review()
    refused(*insert(review, verdict=verdict), match="review_verdict_fits")
    run(*insert(review, verdict="reject"))


@pytest.mark.parametrize("columns", [{"tool": "pencil"}, {"tool": ""}, {"reason": "whim"}])
def test_an_annotation_has_a_known_tool_and_reason(columns: dict[str, str]) -> None:
    annotation = factories.make_annotation()
    refused(*insert(annotation, fingerprint="another", **columns))
    run(*insert(annotation, fingerprint="another"))


def test_limits_are_within_their_range() -> None:
    run(*set_(factories.make_lesion(), x=0, y=1, z=0))
    run(*set_(factories.make_patient(), official_split=3))
    run(*set_(factories.make_release(published=False), name="a" * 64))


def test_indices_are_unique_within_their_parent() -> None:
    lesion = factories.make_lesion()
    image = lesion.slice
    series, study, patient = image.series, image.series.study, image.series.study.patient
    release = factories.make_release([lesion], published=False)
    for row in (lesion, image, series, study, patient, release, release.patients.get(), release.members.get()):
        refused(*insert(row))
    assert [model.objects.count() for model in (Lesion, Slice, Series, Study, Patient, Release)] == [1] * 6


def test_an_annotation_is_found_once_and_its_geometry_gives_one_lesion() -> None:
    annotation = factories.make_annotation(geometry="g")
    refused(*insert(annotation, geometry="h"))
    refused(*insert(annotation, fingerprint="another"))
    run(*insert(annotation, fingerprint="another", reason="saved_again"))


def test_an_identity_is_of_its_level() -> None:
    patient = factories.make_patient()
    row = SourceIdentity.objects.create(collection=patient.collection, level="patient", digest="d", patient=patient)
    refused(*set_(row, level="study"))
    refused(*set_(row, level="house"))
    refused(*set_(row, patient_id=None))


def test_a_lesion_is_not_merged_into_itself() -> None:
    lesion = factories.make_lesion()
    refused(*set_(lesion, merged_into_id=lesion.pk))
