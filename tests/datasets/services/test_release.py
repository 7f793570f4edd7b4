"""Releases: what goes in, what is refused, and that a published one stays as it is."""

import csv
import io
import json
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from PIL import Image
from pytest_django import DjangoAssertNumQueries

from datasets import dl_info, png
from datasets.management.failures import Incomplete
from datasets.models import Collection, Lesion, Release, ReleaseLesion, Review, Slice
from datasets.pacs.pixels import pixel_hash
from datasets.selectors.releases import leaks_looked_for
from datasets.services import hashing, leakage
from datasets.services import manifest as manifests
from datasets.services import release as releases
from datasets.services.import_deeplesion import import_deeplesion
from datasets.services.release_contents import csv_lines, slices
from datasets.services.release_lines import WINDOW
from datasets.services.split import BadShares
from tests import factories
from tests.datasets.tables import draw, row, write

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


def _published(
    tmp_path: Path, *drawn: tuple[int, int], seeds: dict[int, int] | None = None, **options: Any
) -> Collection:
    """Three patients with an official split and a lesion on slice 10; `drawn` are (patient, slice) with images."""
    images = tmp_path / "Images_png"
    images.mkdir(exist_ok=True)
    rows = [row(number, split=number) for number in (1, 2, 3)]
    for patient, number in drawn:
        draw(images, rows[patient - 1].folder, number, seed=(seeds or {}).get(patient, patient))
    import_deeplesion(write(tmp_path / "in.csv", rows), images=images, **options)
    return Collection.objects.get()


ALL_DRAWN = [(patient, number) for patient in (1, 2, 3) for number in range(8, 13)]


def test_a_neighbour_that_is_the_same_picture_in_two_splits_is_a_leak(tmp_path: Path) -> None:
    collection = _published(tmp_path, *ALL_DRAWN)
    root = tmp_path / "Images_png"
    # The same pixels from another encoder, so that no byte of the two files need agree.
    with Image.open(root / "000001_01_01" / "008.png") as image:
        image.save(root / "000003_01_01" / "012.png", compress_level=0)
    with pytest.raises(leakage.Leak, match=r"000001_01_01_008\.png and 000003_01_01_012\.png are the same picture"):
        releases.create("r", collection, split="official")
    assert not Release.objects.exists()


def test_an_import_that_finds_a_leak_keeps_the_rows_and_publishes_nothing(tmp_path: Path) -> None:
    images = tmp_path / "Images_png"
    for patient in (1, 2, 3):
        draw(images, f"00000{patient}_01_01", 10, seed=patient)
        draw(images, f"00000{patient}_01_01", 11, seed=5)
    table = write(tmp_path / "in.csv", [row(number, split=number) for number in (1, 2, 3)])
    with pytest.raises(
        CommandError, match=r"the rows were imported, but r was not published: r: 0.*are the same picture"
    ):
        call_command("import_deeplesion", str(table), images=images, release="r", stdout=io.StringIO())
    assert (Lesion.objects.count(), Release.objects.count()) == (3, 0)


def test_every_image_is_hashed_before_a_release_and_none_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "BATCH", 4)
    collection = _published(tmp_path, *ALL_DRAWN)
    assert Slice.objects.exclude(sha256="").count() == 0
    seen: list[tuple[int, int]] = []
    release = releases.create(
        "r", collection, split="official", on_images=lambda done, total: seen.append((done, total))
    )
    assert seen == [(done, 15) for done in range(1, 16)]
    for image in Slice.objects.select_related("series__study__patient"):
        content = (tmp_path / "Images_png" / image.path).read_bytes()
        assert (image.bytes, image.sha256) == (len(content), sha256(content).hexdigest())
        assert image.pixel_hash == pixel_hash(png.read(tmp_path / "Images_png" / image.path))
    assert release.compared == {"slices": 15, "slices_unhashed": 0, "key_slices_without": 0}
    releases.create("again", collection, split="official", on_images=lambda done, total: seen.append((done, total)))
    assert len(seen) == 15


def test_hashing_goes_on_where_it_was_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "BATCH", 4)
    collection = _published(tmp_path, *ALL_DRAWN)

    def interrupt(done: int, total: int) -> None:
        if done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hashing.hash_slices(collection=collection, progress=interrupt)
    assert Slice.objects.exclude(sha256="").count() == 8
    seen: list[tuple[int, int]] = []
    hashing.hash_slices(collection=collection, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (7, 7)


def test_a_damaged_neighbour_is_told_and_left_out_until_it_is_mended(tmp_path: Path) -> None:
    collection = _published(tmp_path, *ALL_DRAWN)
    damaged = tmp_path / "Images_png" / "000002_01_01" / "009.png"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:200])
    out, err = io.StringIO(), io.StringIO()
    with pytest.raises(Incomplete, match="damaged images were left out"):
        call_command("release", "create", "r-1", "--split", "official", stdout=out, stderr=err)
    assert err.getvalue() == "Image: 000002_01_01/009.png: damaged or not a PNG file\n"
    assert "the pixels of 14 slices were compared" in out.getvalue()
    damaged.write_bytes(whole)
    import_deeplesion(tmp_path / "in.csv", images=tmp_path / "Images_png")
    second = releases.create("r-2", collection, split="official")
    assert [len(list(slices(each))) for each in (Release.objects.get(name="r-1"), second)] == [14, 15]


def test_an_image_that_is_gone_or_has_changed_is_named(tmp_path: Path) -> None:
    collection = _published(tmp_path, *ALL_DRAWN)
    image = tmp_path / "Images_png" / "000002_01_01" / "009.png"
    whole = image.read_bytes()
    image.unlink()
    with pytest.raises(hashing.MissingImage, match=rf"^{image} cannot be read: No such file"):
        releases.create("r", collection, split="official")
    image.write_bytes(whole)
    releases.create("r", collection, split="official")
    Slice.objects.filter(number=9).update(pixel_hash="")
    draw(tmp_path / "Images_png", "000002_01_01", 9, seed=77)
    with pytest.raises(hashing.MissingImage, match=rf"^{image} is not the image that it was"):
        releases.create("other", collection, split="official")
    assert Release.objects.count() == 1


@pytest.mark.parametrize(
    ("drawn", "text"),
    [
        ([], "There are no images, so pixels were not compared."),
        (ALL_DRAWN, ", and no picture is: the pixels of 15 slices were compared."),
        ([(1, 9), (1, 10)], " compared. The images of 2 key slices are not there, so theirs were not."),
    ],
)
def test_what_was_not_compared_is_said(tmp_path: Path, drawn: list[tuple[int, int]], text: str) -> None:
    collection = _published(tmp_path, *drawn)
    out = io.StringIO()
    call_command("release", "create", "r", "--split", "official", stdout=out)
    release = Release.objects.get()
    said = leaks_looked_for(release)
    assert said.startswith("No patient, study or series is in two splits")
    assert said.endswith(text)
    assert said in out.getvalue()
    manifests.prepare(release_name="r")
    assert json.loads(manifests.path_of(release).read_text())["leaks"] == {**release.compared, "summary": said}
    assert leaks_looked_for(releases.create("draft", collection, split="official", publish=False)) == ""


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
