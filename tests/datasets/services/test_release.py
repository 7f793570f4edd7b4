"""Releases: what goes in, what is refused, and that a published one stays as it is."""

import csv
import io
from collections import Counter

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from pytest_django import DjangoAssertNumQueries

from datasets import dl_info
from datasets.models import Collection, Lesion, Release, ReleaseLesion, ReleasePatient, Review
from datasets.services import leakage
from datasets.services import release as releases
from datasets.services.release_contents import csv_lines, slices
from datasets.services.release_lines import WINDOW
from datasets.services.split import BadShares
from tests import factories

pytestmark = pytest.mark.django_db

SHARES = (70, 15, 15)


def _hospital(patients: int = 20, **values: object) -> Collection:
    """A hospital with one lesion per patient, each on the middle one of five stored slices."""
    collection = factories.make_collection()
    for number in range(1, patients + 1):
        patient = factories.make_patient(collection=collection, number=number, **values)
        series = factories.make_series(study=factories.make_study(patient=patient))
        images = [factories.make_slice(series=series, number=place, stored=True, bytes=9) for place in range(1, 6)]
        factories.make_lesion(slice=images[2], type=number % 8 + 1, first_slice=2, last_slice=4)
    return collection


def _splits(release: Release) -> dict[int, int]:
    return dict(release.patients.values_list("patient__number", "split"))


def _lines(release: Release) -> list[list[str]]:
    return list(csv.reader(csv_lines(release)))


def test_a_release_holds_every_lesion_with_its_line() -> None:
    collection = _hospital()
    release = releases.create("demo-1.0", collection, split=SHARES, seed=1)
    assert (release.state, release.split_method) == ("published", "70/15/15 by patient, seed 1")
    header, *rows = _lines(release)
    assert header == list(dl_info.COLUMNS)
    assert [row[1] for row in rows] == [str(number) for number in range(1, 21)]
    assert {int(row[1]): int(row[-1]) for row in rows} == _splits(release)
    assert Counter(_splits(release).values()) == {1: 14, 2: 3, 3: 3}
    assert release.counts["val"] == {"patients": 3, "studies": 3, "series": 3, "slices": 9, "lesions": 3}


def test_the_same_seed_gives_the_same_split() -> None:
    collection = _hospital()
    first, same, other = (
        releases.create(f"r{place}", collection, split=SHARES, seed=seed) for place, seed in enumerate((5, 5, 6))
    )
    assert _splits(first) == _splits(same) != _splits(other)
    assert list(csv_lines(first)) == list(csv_lines(same))


def test_rejected_merged_and_unstored_lesions_stay_out() -> None:
    collection = _hospital(6)
    rejected, merged, unstored, kept, *_ = Lesion.objects.order_by("id")
    factories.make_review(lesion=rejected, verdict=Review.Verdict.KEEP)
    factories.make_review(lesion=rejected, verdict=Review.Verdict.REJECT)
    Lesion.objects.filter(pk=merged.pk).update(merged_into=kept)
    unstored.slice.stored = False
    unstored.slice.save()
    factories.make_review(undoes=factories.make_review(lesion=kept, verdict=Review.Verdict.REJECT))
    release = releases.create("r", collection, split=(34, 33, 33))
    members = set(release.members.values_list("lesion", flat=True))
    assert members == set(Lesion.objects.values_list("pk", flat=True)) - {rejected.pk, merged.pk, unstored.pk}
    assert release.patients.count() == 3


def test_published_lesions_need_no_image() -> None:
    collection = factories.make_collection(kind=Collection.Kind.PUBLISHED)
    patient = factories.make_patient(collection=collection, official_split=3)
    series = factories.make_series(study=factories.make_study(patient=patient))
    factories.make_lesion(slice=factories.make_slice(series=series))
    release = releases.create("r", collection, split="official")
    assert (release.split_method, _splits(release)) == ("official", {patient.number: 3})


def test_noise_stays_flagged_unless_a_person_keeps_it() -> None:
    collection = _hospital(3)
    Lesion.objects.update(possibly_noisy=True)
    kept = Lesion.objects.order_by("id")[1]
    factories.make_review(lesion=kept, verdict=Review.Verdict.KEEP)
    release = releases.create("r", collection, split=(34, 33, 33))
    assert [row[10] for row in _lines(release)[1:]] == ["1", "0", "1"]


def test_what_a_slice_does_not_say_comes_from_its_series_or_the_usual_window() -> None:
    collection = _hospital(3)
    image = Lesion.objects.order_by("id")[0].slice
    image.slice_interval, image.window_low = None, None
    image.save()
    row = dict(zip(dl_info.COLUMNS, _lines(releases.create("r", collection, split=(34, 33, 33)))[1], strict=True))
    assert row["Spacing_mm_px_"] == "0.8, 0.8, 5"
    assert row["DICOM_windows"] == ", ".join(f"{end:g}" for end in WINDOW)


def test_slices_are_those_around_the_lesions() -> None:
    release = releases.create("r", _hospital(3), split=(34, 33, 33))
    assert [image.number for image in slices(release)] == [2, 3, 4] * 3
    assert [image.path for image in slices(release, 1)] == [
        image.path for image in slices(release) if _splits(release)[image.series.study.patient.number] == 1
    ]


@pytest.mark.parametrize("name", ["", "Big", "a b", "../up", "-dash", "a/b", "x" * 65])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(releases.ReleaseRefused):
        releases.create(name, _hospital(3), split=(34, 33, 33))
    assert not Release.objects.exists()


def test_what_cannot_be_released_is_refused_and_leaves_nothing() -> None:
    collection = _hospital(3)
    empty = factories.make_collection()
    releases.create("taken", collection, split=(34, 33, 33))
    for arguments, reason in (
        (("taken", collection, SHARES), "the name taken is taken"),
        (("r", empty, SHARES), "no lesion that could be released"),
        (("r", empty, "official"), "would hold no lesion"),
        (("r", collection, "official"), "3 patients of .* have no published split"),
    ):
        name, source, split = arguments
        with pytest.raises(releases.ReleaseRefused, match=reason):
            releases.create(name, source, split=split)
    with pytest.raises(BadShares, match="do not add up"):
        releases.create("r", collection, split=(70, 15, 16))
    with pytest.raises(BadShares, match="cannot be shared out"):
        releases.create("r", _hospital(2), split=SHARES)
    assert list(Release.objects.values_list("name", flat=True)) == ["taken"]


def test_a_draft_is_published_with_the_lesions_as_they_then_are() -> None:
    collection = _hospital(6)
    draft = releases.create("r", collection, split=(34, 33, 33), publish=False)
    split = _splits(draft)
    assert (draft.state, draft.members.count(), draft.counts) == ("draft", 6, {})
    gone = Lesion.objects.order_by("id")[0]
    factories.make_review(lesion=gone, verdict=Review.Verdict.REJECT)
    published = releases.publish("r")
    assert published.members.count() == 5
    assert _splits(published) == {number: code for number, code in split.items() if number != 1}
    with pytest.raises(releases.ReleaseRefused, match="published already"):
        releases.publish("r")
    with pytest.raises(releases.ReleaseRefused, match="no release"):
        releases.publish("unknown")


def _draft_in_two_splits(collection: Collection) -> Release:
    draft = releases.create("r", collection, split=(50, 0, 50), publish=False)
    assert set(_splits(draft).values()) == {1, 3}
    return draft


def test_the_same_picture_in_two_splits_is_a_leak() -> None:
    collection = _hospital(2)
    for lesion in Lesion.objects.select_related("slice"):
        lesion.slice.pixel_hash = "5" * 64
        lesion.slice.save()
    with pytest.raises(leakage.Leak, match=r"000001_01_01_003\.png and 000002_01_01_003\.png are the same picture"):
        releases.create("r", collection, split=(50, 0, 50))
    assert not Release.objects.exists()


def test_the_same_picture_in_one_split_or_outside_the_release_is_none() -> None:
    collection = _hospital(2)
    for patient in collection.patients.all():
        series = patient.studies.get().series.get()
        series.slices.filter(number=5).update(pixel_hash="5" * 64)
        series.slices.filter(number__in=(2, 3)).update(pixel_hash=str(patient.number) * 64)
    assert releases.create("r", collection, split=(50, 0, 50)).state == "published"


@pytest.mark.parametrize("level", ["patient", "study", "series"])
def test_a_lesion_under_another_patients_split_is_a_leak(level: str) -> None:
    collection = _hospital(2)
    lesion = Lesion.objects.order_by("id").first()
    series = lesion.slice.series
    if level == "patient":
        series = factories.make_series(study=factories.make_study(patient=series.study.patient))
    elif level == "study":
        series = factories.make_series(study=series.study)
    second = factories.make_lesion(slice=factories.make_slice(series=series, number=9, stored=True))
    draft = _draft_in_two_splits(collection)
    wrong = draft.patients.exclude(patient=series.study.patient).get()
    ReleaseLesion.objects.filter(lesion=second).update(member=wrong)
    with pytest.raises(leakage.Leak, match="is in more than one split"):
        leakage.check(draft)


def _refused(sql: str, *values: object) -> None:
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, values)


def test_the_database_refuses_every_change_of_a_published_release() -> None:
    collection = _hospital(4)
    release = releases.create("r", collection, split=(50, 0, 50))
    draft = releases.create("draft", collection, split=(50, 0, 50), publish=False)
    other = factories.make_patient(collection=collection)
    member = draft.members.first()
    _refused("UPDATE datasets_release SET name = 'x' WHERE id = %s", release.pk)
    _refused("UPDATE datasets_release SET state = 'draft', published = NULL WHERE id = %s", release.pk)
    _refused("DELETE FROM datasets_release WHERE id = %s", release.pk)
    _refused("UPDATE datasets_releasepatient SET split = 2 WHERE release_id = %s", release.pk)
    _refused("DELETE FROM datasets_releasepatient WHERE release_id = %s", release.pk)
    _refused("UPDATE datasets_releaselesion SET line = '' WHERE release_id = %s", release.pk)
    _refused("DELETE FROM datasets_releaselesion WHERE release_id = %s", release.pk)
    _refused(
        "INSERT INTO datasets_releasepatient (release_id, patient_id, split) VALUES (%s, %s, 1)", release.pk, other.pk
    )
    _refused(
        "INSERT INTO datasets_releaselesion (release_id, member_id, lesion_id, line) VALUES (%s, %s, %s, '')",
        release.pk,
        member.member_id,
        factories.make_lesion().pk,
    )
    moved = ReleasePatient.objects.create(release=draft, patient=other, split=1)
    _refused("UPDATE datasets_releasepatient SET release_id = %s WHERE id = %s", release.pk, moved.pk)
    further = ReleaseLesion.objects.create(release=draft, member=moved, lesion=factories.make_lesion(), line="")
    _refused("UPDATE datasets_releaselesion SET release_id = %s WHERE id = %s", release.pk, further.pk)
    release.refresh_from_db()
    assert (release.name, release.members.count(), release.patients.count()) == ("r", 4, 4)


def test_a_patient_has_one_split_per_release() -> None:
    draft = releases.create("r", _hospital(2), split=(50, 0, 50), publish=False)
    patient = draft.patients.first().patient
    with pytest.raises(DatabaseError), transaction.atomic():
        ReleasePatient.objects.create(release=draft, patient=patient, split=2)


def test_the_database_refuses_to_change_an_annotation() -> None:
    annotation = factories.make_annotation()
    _refused("UPDATE datasets_annotation SET tool = 'line' WHERE id = %s", annotation.pk)
    _refused("UPDATE datasets_annotation SET reason = 'degenerate' WHERE id = %s", annotation.pk)


def test_queries_do_not_grow_with_the_lesions(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    collection = _hospital(60)
    with django_assert_max_num_queries(30):
        release = releases.create("r", collection, split=SHARES)
    with django_assert_max_num_queries(5):
        assert len(list(slices(release))) == 180


def test_the_command_makes_publishes_and_lists_releases() -> None:
    collection = _hospital(10)

    def run(*arguments: str) -> str:
        out = io.StringIO()
        call_command("release", *arguments, stdout=out)
        return out.getvalue().strip()

    made = run("create", "a", "--split", "80/10/10", "--seed", "4")
    assert made == (
        f"a: published, {collection.slug}, 80/10/10 by patient, seed 4; "
        "train 8 lesions of 8 patients, val 1 lesions of 1 patients, test 1 lesions of 1 patients"
    )
    assert run("create", "b", "--draft").endswith("10 lesions of 10 patients")
    assert run("publish", "b").startswith("b: published")
    assert [line[:2] for line in run("list").splitlines()] == ["a:", "b:"]
    factories.make_collection()
    for arguments, reason in (
        (("create", "c"), "say which collection"),
        (("create", "c", "--collection", "none"), "there is no collection none"),
        (("create", "c", "--collection", collection.slug, "--split", "70/30"), "neither three whole numbers"),
        (("create", "a", "--collection", collection.slug), "the name a is taken"),
        (("publish", "z"), "there is no release z"),
        (("export", "z", "--out", "anywhere"), "there is no release z"),
    ):
        with pytest.raises(CommandError, match=reason):
            run(*arguments)
