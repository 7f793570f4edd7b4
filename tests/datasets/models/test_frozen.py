"""What is found, judged or published stays as it is: raw SQL, which no model or service sees, is refused as well."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import Model
from django.utils import timezone

from datasets import frozen
from datasets.models import (
    Annotation,
    Collection,
    Release,
    ReleaseLesion,
    ReleaseManifest,
    ReleasePatient,
    Slice,
)
from tests import factories
from tests.datasets.models.raw_sql import insert, refused, run, set_

pytestmark = pytest.mark.django_db

on_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no TRUNCATE")


CHANGED: dict[str, Any] = {
    "id": 999_999, "fingerprint": "x", "geometry": "x", "carrier": "x", "tool": "line", "modality": "MR",
    "year": 1999, "study": "x", "label": "x", "follow_up": "x", "reported_long_mm": 1.5, "reported_short_mm": 0.5,
    "reason": "degenerate", "detail": "x", "created": "1999-01-01 00:00:00+00:00",
}  # fmt: skip


@pytest.mark.parametrize("reason", Annotation.Reason.values)
def test_an_annotation_never_changes_but_for_an_outcome_that_was_waited_for(reason: str) -> None:
    annotation = factories.make_annotation(reason=reason)
    columns = {field.column for field in Annotation._meta.concrete_fields}
    changes = {**CHANGED, "collection_id": factories.make_collection().pk}
    assert changes.keys() == columns, "a new column needs a place in frozen.MARK or Annotation.OUTCOME"
    for column, value in changes.items():
        if reason in Annotation.WAITING and column in Annotation.OUTCOME:
            with transaction.atomic():
                run(*set_(annotation, **{column: value}))
                transaction.set_rollback(True)
        else:
            refused(*set_(annotation, **{column: value}), match="an annotation never changes")


@pytest.mark.parametrize("reason", Annotation.Reason.values)
def test_an_annotation_is_never_deleted(reason: str) -> None:
    annotation = factories.make_annotation(reason=reason)
    refused("DELETE FROM datasets_annotation WHERE id = %s", annotation.pk, match="an annotation is never deleted")
    if connection.vendor == "sqlite":
        sql, *values = insert(annotation)
        refused(sql.replace("INSERT", "INSERT OR REPLACE"), *values, match="an annotation is never deleted")


def test_a_verdict_never_changes_and_is_never_deleted() -> None:
    review = factories.make_review()
    refused(*set_(review, note="x"), match="a verdict never changes")
    refused("DELETE FROM datasets_review WHERE id = %s", review.pk, match="a verdict is never deleted")
    if connection.vendor == "postgresql":
        refused("TRUNCATE datasets_review CASCADE", match="a verdict is never deleted")


@pytest.fixture
def published() -> Release:
    return factories.make_release([factories.make_lesion()], manifest=True)


@pytest.fixture
def draft(published: Release) -> Release:
    """A draft of the same collection, with another patient."""
    patient = factories.make_patient(collection=published.collection)
    series = factories.make_series(study=factories.make_study(patient=patient))
    return factories.make_release([factories.make_lesion(slice=factories.make_slice(series=series))], published=False)


def test_a_published_release_and_all_it_holds_stay(published: Release, draft: Release) -> None:
    patient, member = published.patients.get(), published.members.get()
    free_patient, free = draft.patients.get(), draft.members.get()
    for column, value in {
        "name": "x",
        "split_method": "x",
        "counts": "{}",
        "compared": "{}",
        "state": "draft",
    }.items():
        refused(*set_(published, **{column: value}), match="cannot change")
    refused(*set_(published, state="draft", published=None), match="cannot change")
    for row, columns in ((patient, {"split": 2}), (member, {"line": ""})):
        refused(*set_(row, **columns), match="cannot change")
    for row in (patient, member):
        refused(f"DELETE FROM {row._meta.db_table} WHERE id = %s", row.pk, match="cannot change")
    refused("DELETE FROM datasets_release WHERE id = %s", published.pk, match="cannot be deleted")
    refused(*insert(free_patient, release_id=published.pk), match="cannot change")
    refused(*insert(free, release_id=published.pk, member_id=patient.pk), match="cannot change")
    refused(*set_(free_patient, release_id=published.pk))
    refused(*set_(free, release_id=published.pk, member_id=patient.pk), match="cannot change")
    manifest = published.manifest
    refused(*set_(manifest, sha256="b" * 64), match="never changes")
    refused("DELETE FROM datasets_releasemanifest WHERE id = %s", manifest.pk, match="never deleted")
    for table in ("datasets_lesion", "datasets_slice", "datasets_patient", "datasets_collection"):
        refused(f"DELETE FROM {table}")
    if connection.vendor == "sqlite":
        for row in (published, patient, member, manifest):
            sql, *values = insert(row, id=row.pk)
            refused(sql.replace("INSERT", "INSERT OR REPLACE"), *values)
    found = [model.objects.count() for model in (Release, ReleasePatient, ReleaseLesion, ReleaseManifest)]
    assert found == [2, 2, 2, 1]


def test_what_was_measured_of_a_published_lesion_its_type_and_number_stay(published: Release, draft: Release) -> None:
    lesion, free = published.members.get().lesion, draft.members.get().lesion
    for column in frozen.RELEASED:
        refused(*set_(lesion, **{column: getattr(lesion, column) + 1}), match="a published release cannot change")
    run(*set_(free, long_mm=free.long_mm + 1, long_um=free.long_um + 1000))
    later = {"x": 0.1, "y": 0.2, "z": 0.3, "location_source": "v1", "mean_hu": 40.0, "possibly_noisy": True}
    run(*set_(lesion, **later, merged_into_id=free.pk))
    lesion.refresh_from_db()
    lesion.save()


def test_the_numbers_that_name_the_files_of_a_published_release_stay(published: Release, draft: Release) -> None:
    def places(release: Release) -> list[Model]:
        series = release.members.get().lesion.slice.series
        return [series, series.study, series.study.patient]

    series, study, patient = places(published)
    free_series, free_study, free_patient = places(draft)
    for row, parent in ((series, {"study_id": free_study.pk}), (study, {"patient_id": free_patient.pk})):
        refused(*set_(row, **parent), match="a published release cannot change")
    for row in (series, study, patient):
        refused(*set_(row, number=77), match="a published release cannot change")
    refused(*set_(patient, collection_id=factories.make_collection().pk), match="a published release cannot change")
    refused(*set_(published.collection, slug="other"), match="a published release cannot change")
    for column in ("columns", "rows", "spacing_x", "spacing_y"):
        refused(*set_(series, **{column: 7}), match="a published release cannot change")
    for row in (free_series, free_study, free_patient):
        run(*set_(row, number=77))
    run(*set_(patient, sex="M", official_split=2))
    run(*set_(study, age=70))
    run(*set_(series, kernel="B30f", slice_interval=1.25))
    run(*set_(published.collection, title="Other", image_folder="/elsewhere"))


@pytest.fixture
def images() -> list[Slice]:
    """Four slices of one series; a published release holds the first three, of which the last was never hashed."""
    series = factories.make_series()
    known = {"stored": True, "bytes": 9, "pixel_hash": "p" * 64}
    made = [factories.make_slice(series=series, sha256=digest, **known) for digest in ("a" * 64, "b" * 64, "", "d")]
    factories.make_release([factories.make_lesion(slice=made[0], first_slice=1, last_slice=3)])
    return made


def test_the_images_that_a_published_release_holds_stay(images: list[Slice]) -> None:
    *held, beyond = images
    other = factories.make_series()
    later = timezone.now()
    changes: list[dict[str, Any]] = [
        {"stored": False, "stored_at": None},
        {"stored": False},
        {"stored_at": later},
        {"stored_at": "2001-01-01 00:00:00+00:00"},
        {"number": 77},
        {"series_id": other.pk},
        {"pixel_hash": ""},
    ]
    for image in held:
        for change in changes:
            refused(*set_(image, **change), match="a published release cannot change")
    for image in held[:2]:
        for change in ({"sha256": ""}, {"sha256": "c" * 64}, {"bytes": 10}):
            refused(*set_(image, **change), match="a published release cannot change")
    refused("DELETE FROM datasets_slice WHERE id = %s", held[1].pk, match="a published release cannot change")
    run(*set_(held[2], sha256="c" * 64, bytes=10))
    refused(*set_(held[2], sha256="d" * 64), match="a published release cannot change")
    for image in held:
        image.refresh_from_db()
        image.save()
    run(*set_(held[0], window_low=-100, slice_interval=2.5))
    for change in changes:
        run(*set_(beyond, **change))
    run("DELETE FROM datasets_slice WHERE id = %s", beyond.pk)


def test_no_image_is_slipped_into_a_published_release(images: list[Slice]) -> None:
    series = factories.make_series(study=images[0].series.study)
    key = factories.make_slice(series=series, number=5, stored=True)
    release = factories.make_release([factories.make_lesion(slice=key, first_slice=4, last_slice=6)])
    before = release.published - timedelta(days=1)
    refused(*insert(key, number=6, stored_at=before), match="a published release cannot change")
    run(*insert(key, number=7, stored_at=before))
    run(*insert(key, number=6, stored_at=timezone.now()))
    came = Slice.objects.get(series=series, number=6)
    refused(*set_(came, stored_at=before), match="a published release cannot change")
    away = Slice.objects.get(series=series, number=7)
    refused(*set_(away, number=4), match="a published release cannot change")
    run(*insert(key, number=4, stored=False, stored_at=None))


@on_postgresql
def test_tables_of_published_releases_and_annotations_cannot_be_emptied_at_once(published: Release) -> None:
    factories.make_annotation()
    for table in ("releaselesion", "releasepatient", "releasemanifest", "release", "lesion", "collection"):
        refused(f"TRUNCATE datasets_{table} CASCADE", match="cannot be deleted|never deleted")
    refused("TRUNCATE datasets_annotation CASCADE", match="never deleted|cannot be deleted")
    assert ReleaseLesion.objects.count() == 1


@on_postgresql
def test_a_draft_alone_may_be_emptied() -> None:
    factories.make_release([factories.make_lesion()], published=False)
    run("TRUNCATE datasets_releaselesion")
    assert not ReleaseLesion.objects.exists()


def test_a_lesion_and_its_patient_belong_to_one_release(draft: Release) -> None:
    patient, member = draft.patients.get(), draft.members.get()
    other = factories.make_release(published=False, collection=draft.collection)
    refused(*set_(member, release_id=other.pk), match="belong to one release")
    refused(*set_(patient, release_id=other.pk), match="belong to one release")
    refused(*insert(member, release_id=other.pk), match="belong to one release")
    run(*insert(patient, release_id=other.pk))


def test_a_release_draws_on_one_collection(draft: Release) -> None:
    stranger = factories.make_patient()
    row = draft.patients.get()
    refused(*insert(row, patient_id=stranger.pk), match="draws on one collection")
    refused(*set_(row, patient_id=stranger.pk), match="draws on one collection")
    refused(*set_(draft, collection_id=stranger.collection_id), match="draws on one collection")
    assert Collection.objects.count() == 2
