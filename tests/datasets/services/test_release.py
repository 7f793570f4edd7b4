"""Releases: what goes in, what is refused, and that a published one stays as it is."""

import csv
import io
from collections import Counter

import pytest
from django.core.management import CommandError, call_command
from pytest_django import DjangoAssertNumQueries

from datasets import dl_info
from datasets.models import Collection, Lesion, Release, Review
from datasets.services import release as releases
from datasets.services.release_contents import csv_lines, slices
from datasets.services.release_lines import WINDOW
from datasets.services.split import BadShares
from tests import factories

pytestmark = pytest.mark.django_db

SHARES = (70, 15, 15)


def _splits(release: Release) -> dict[int, int]:
    return dict(release.patients.values_list("patient__number", "split"))


def _lines(release: Release) -> list[list[str]]:
    return list(csv.reader(csv_lines(release)))


def test_a_release_holds_every_lesion_with_its_line() -> None:
    collection = factories.make_hospital()
    release = releases.create("demo-1.0", collection, split=SHARES, seed=1)
    assert (release.state, release.split_method) == ("published", "70/15/15 by patient, seed 1")
    header, *rows = _lines(release)
    assert header == list(dl_info.COLUMNS)
    assert [row[1] for row in rows] == [str(number) for number in range(1, 21)]
    assert {int(row[1]): int(row[-1]) for row in rows} == _splits(release)
    assert Counter(_splits(release).values()) == {1: 14, 2: 3, 3: 3}
    assert release.counts["val"] == {"patients": 3, "studies": 3, "series": 3, "slices": 9, "lesions": 3}


@pytest.mark.parametrize("looks", [1, 4, 7])
def test_a_release_can_be_broken_off_while_it_is_written_and_compared(looks: int) -> None:
    collection, looked = factories.make_hospital(), 0

    def check() -> None:
        nonlocal looked
        looked += 1
        if looked == looks:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        releases.create("demo-1.0", collection, split=SHARES, check=check)
    assert not Release.objects.exists()


def test_the_same_seed_gives_the_same_split() -> None:
    collection = factories.make_hospital()
    first, same, other = (
        releases.create(f"r{place}", collection, split=SHARES, seed=seed) for place, seed in enumerate((5, 5, 6))
    )
    assert _splits(first) == _splits(same) != _splits(other)
    assert list(csv_lines(first)) == list(csv_lines(same))


def test_rejected_merged_and_unstored_lesions_stay_out() -> None:
    collection = factories.make_hospital(6)
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
    collection = factories.make_hospital(3)
    Lesion.objects.update(possibly_noisy=True)
    kept = Lesion.objects.order_by("id")[1]
    factories.make_review(lesion=kept, verdict=Review.Verdict.KEEP)
    release = releases.create("r", collection, split=(34, 33, 33))
    assert [row[10] for row in _lines(release)[1:]] == ["1", "0", "1"]


def test_what_a_slice_does_not_say_comes_from_its_series_or_the_usual_window() -> None:
    collection = factories.make_hospital(3)
    image = Lesion.objects.order_by("id")[0].slice
    image.slice_interval, image.window_low = None, None
    image.save()
    row = dict(zip(dl_info.COLUMNS, _lines(releases.create("r", collection, split=(34, 33, 33)))[1], strict=True))
    assert row["Spacing_mm_px_"] == "0.8, 0.8, 5"
    assert row["DICOM_windows"] == ", ".join(f"{end:g}" for end in WINDOW)


def test_slices_are_those_around_the_lesions() -> None:
    release = releases.create("r", factories.make_hospital(3), split=(34, 33, 33))
    assert [image.number for image in slices(release)] == [2, 3, 4] * 3
    assert [image.path for image in slices(release, 1)] == [
        image.path for image in slices(release) if _splits(release)[image.series.study.patient.number] == 1
    ]


@pytest.mark.parametrize("name", ["", "Big", "a b", "../up", "-dash", "a/b", "x" * 65])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(releases.ReleaseRefused):
        releases.create(name, factories.make_hospital(3), split=(34, 33, 33))
    assert not Release.objects.exists()


def test_what_cannot_be_released_is_refused_and_leaves_nothing() -> None:
    collection = factories.make_hospital(3)
    empty = factories.make_collection()
    releases.create("taken", collection, split=(34, 33, 33))
    for arguments, reason in (
        (("taken", collection, SHARES), "there is a release taken already"),
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
        releases.create("r", factories.make_hospital(2), split=SHARES)
    assert list(Release.objects.values_list("name", flat=True)) == ["taken"]


def test_a_draft_is_published_with_the_lesions_as_they_then_are() -> None:
    collection = factories.make_hospital(6)
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


def test_queries_do_not_grow_with_the_lesions(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    collection = factories.make_hospital(60)
    with django_assert_max_num_queries(30):
        release = releases.create("r", collection, split=SHARES)
    with django_assert_max_num_queries(5):
        assert len(list(slices(release))) == 180


def test_the_command_makes_publishes_and_lists_releases() -> None:
    collection = factories.make_hospital(10)

    def run(*arguments: str) -> str:
        out = io.StringIO()
        call_command("release", *arguments, stdout=out)
        return out.getvalue().strip()

    made = run("create", "a", "--split", "80/10/10", "--seed", "4")
    assert made == (
        f"a: published, {collection.slug}, 80/10/10 by patient, seed 4; "
        "train 8 lesions of 8 patients, val 1 lesion of 1 patient, test 1 lesion of 1 patient\n"
        "No patient, study or series is in two splits, and no picture is: the pixels of 0 slices were compared. "
        "30 slices have no hash, so theirs were not."
    )
    assert run("create", "b", "--draft").endswith("10 lesions of 10 patients")
    assert run("publish", "b").startswith("b: published")
    assert [line[:2] for line in run("list").splitlines()] == ["a:", "b:"]
    factories.make_collection()
    for arguments, reason in (
        (("create", "c"), "say which collection"),
        (("create", "c", "--collection", "none"), "there is no collection none"),
        (("create", "c", "--split", "70/30"), "--split '70/30' is neither three whole numbers"),
        (("create", "c", "--split", "70/15/16"), "the shares 70/15/16 do not add up to 100"),
        (("create", "c", "--collection", "none", "--split=-10/10/100"), "the shares -10/10/100 hold one below 0"),
        (("create", "c", "--collection", "none", "--split", "-10/60/50"), "the shares -10/60/50 hold one below 0"),
        (("create", "a", "--collection", collection.slug), "there is a release a already"),
        (("publish", "z"), "there is no release z"),
        (("export", "z", "--out", "anywhere"), "there is no release z"),
    ):
        with pytest.raises(CommandError, match=reason):
            run(*arguments)
