"""No picture, patient, study or series in two splits of a release: every image is hashed and compared."""

import io
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from PIL import Image

from datasets import png
from datasets.management.failures import Incomplete
from datasets.models import Collection, Lesion, Release, ReleaseLesion, Slice
from datasets.pacs.pixels import pixel_hash
from datasets.selectors.releases import leaks_looked_for
from datasets.services import hashing, leakage
from datasets.services import manifest as manifests
from datasets.services import release as releases
from datasets.services.import_deeplesion import import_deeplesion
from datasets.services.release_contents import slices
from tests import factories
from tests.datasets.tables import draw, row, write

pytestmark = pytest.mark.django_db


def _draft_in_two_splits(collection: Collection) -> Release:
    draft = releases.create("r", collection, split=(50, 0, 50), publish=False)
    assert set(draft.patients.values_list("split", flat=True)) == {1, 3}
    return draft


def test_the_same_picture_in_two_splits_is_a_leak() -> None:
    collection = factories.make_hospital(2)
    for lesion in Lesion.objects.select_related("slice"):
        lesion.slice.pixel_hash = "5" * 64
        lesion.slice.save()
    with pytest.raises(leakage.Leak, match=r"000001_01_01_003\.png and 000002_01_01_003\.png are the same picture"):
        releases.create("r", collection, split=(50, 0, 50))
    assert not Release.objects.exists()


def test_the_same_picture_in_one_split_or_outside_the_release_is_none() -> None:
    collection = factories.make_hospital(2)
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
    hashing.hash_slices(collection=collection)
    Slice.objects.filter(number=9).update(pixel_hash="")
    draw(tmp_path / "Images_png", "000002_01_01", 9, seed=77)
    with pytest.raises(hashing.MissingImage, match=rf"^{image} is not the image that it was"):
        releases.create("other", collection, split="official")
    assert not Release.objects.exists()


def test_a_damaged_image_that_a_published_release_holds_is_not_left_out_but_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = _published(tmp_path, *ALL_DRAWN)
    with monkeypatch.context() as patch:
        # As if the images had come between the hashing and the publishing.
        patch.setattr(releases, "hash_slices", lambda **_: None)
        first = releases.create("r-1", collection, split="official")
    damaged = tmp_path / "Images_png" / "000002_01_01" / "009.png"
    damaged.write_bytes(damaged.read_bytes()[:200])
    with pytest.raises(hashing.MissingImage, match=rf"^{damaged} is damaged, and a published release holds it"):
        releases.create("r-2", collection, split="official")
    assert len(list(slices(first))) == 15


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
    collection = factories.make_hospital(2)
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
