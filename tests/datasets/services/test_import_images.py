"""Importing a table with its images: they stay where they are or are copied, and none goes in by half."""

import io
import re
import subprocess
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from datasets.management.failures import Incomplete
from datasets.models import Collection, Lesion, Slice
from datasets.services.import_deeplesion import ImportRefused, import_deeplesion
from datasets.services.import_images import NoImages
from datasets.storage import slice_root
from tests.datasets.importing import TABLES, counts, run_import, table_of
from tests.datasets.tables import draw, row
from tests.peers.disk import small_disk

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _data_folder(settings: Settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path / "data"


def test_images_stay_where_they_are_and_bring_their_neighbours(tmp_path: Path) -> None:
    images = tmp_path / "Images_png"
    for number in (8, 9, 10, 12, 40):
        draw(images, "000001_01_01", number)
    (images / "000001_01_01" / "notes.txt").write_text("no slice")
    summary = import_deeplesion(table_of(tmp_path, row()), images=images)
    assert summary.image_problems == []
    assert summary.added["slices"] == 5
    assert Collection.objects.get().image_folder == str(images)
    assert slice_root(Collection.objects.get()) == images
    key, *others = Slice.objects.filter(stored=True).order_by("window_low", "number")
    key = Slice.objects.get(number=10)
    assert key.bytes == (images / "000001_01_01" / "010.png").stat().st_size
    assert len(key.pixel_hash) == 64
    assert Slice.objects.exclude(pixel_hash="").count() == 1
    assert len(others) == 4
    lesion = Lesion.objects.get()
    assert 35 < lesion.mean_hu < 45
    assert 8 < lesion.std_hu < 12
    assert lesion.min_hu < lesion.mean_hu < lesion.max_hu
    assert not any(import_deeplesion(table_of(tmp_path, row()), images=images).added.values())


def test_images_that_come_later_complete_the_rows(tmp_path: Path) -> None:
    path, images = table_of(tmp_path, row(), row(at=33)), tmp_path / "Images_png"
    import_deeplesion(path)
    draw(images, "000001_01_01", 10)
    draw(images, "000001_01_01", 11)
    summary = import_deeplesion(path, images=images)
    assert (summary.added["slices"], summary.added["lesions"]) == (1, 0)
    assert Slice.objects.filter(stored=True).count() == 2
    assert Lesion.objects.filter(mean_hu__gt=30, std_hu__gt=0).count() == 2


def test_a_neighbour_can_become_a_key_slice(tmp_path: Path) -> None:
    images = tmp_path / "Images_png"
    for number in (10, 11):
        draw(images, "000001_01_01", number)
    import_deeplesion(table_of(tmp_path, row()), images=images)
    import_deeplesion(table_of(tmp_path, row(slice=11, window=(-160.0, 240.0))), images=images)
    found = Slice.objects.get(number=11)
    assert (found.window_low, found.stored, len(found.pixel_hash)) == (-160, True, 64)


def test_missing_and_damaged_images_are_named_and_their_rows_go_in(tmp_path: Path) -> None:
    images = tmp_path / "Images_png"
    damaged = draw(images, "000001_01_01", 10)
    damaged.write_bytes(damaged.read_bytes()[:500])
    draw(images, "000002_01_01", 10)
    draw(images, "000003_01_01", 10, size=(32, 64))
    (images / "000004_01_01").mkdir()
    (images / "000004_01_01" / "010.png").write_bytes(b"GIF89a")
    err = io.StringIO()
    table = table_of(tmp_path, *(row(number) for number in (1, 2, 3, 4, 5)))
    with pytest.raises(Incomplete):
        call_command("import_deeplesion", str(table), images=images, stdout=io.StringIO(), stderr=err)
    assert err.getvalue().splitlines() == [
        "Image: 000001_01_01/010.png: damaged or not a PNG file",
        "Image: 000003_01_01/010.png: 32x64 pixels where Image_size says 64x64",
        "Image: 000004_01_01/010.png: damaged or not a PNG file",
        "Image: 000005_01_01/010.png: missing",
    ]
    assert Lesion.objects.count() == 5
    assert list(Slice.objects.filter(stored=True).values_list("series__study__patient__number", flat=True)) == [2]


def test_what_a_part_of_a_download_lacks_is_counted_and_an_export_says_so(tmp_path: Path) -> None:
    images = tmp_path / "Images_png"
    draw(images, "000001_01_01", 10)
    out, err = io.StringIO(), io.StringIO()
    table = table_of(tmp_path, *(row(number) for number in range(1, 25)))
    with pytest.raises(Incomplete):
        call_command("import_deeplesion", str(table), images=images, release="r", stdout=out, stderr=err)
    told = err.getvalue().splitlines()
    assert (len(told), told[0], told[-1]) == (21, "Image: 000002_01_01/010.png: missing", "Image: 3 more are missing")
    assert "23 images missing or damaged" in out.getvalue()
    call_command("release", "export", "r", out=tmp_path / "out", stdout=out)
    assert out.getvalue().splitlines()[-1] == "23 key slices of it have no image."


def test_copied_images_lie_in_our_own_storage(tmp_path: Path) -> None:
    images = tmp_path / "Images_png"
    files = [draw(images, "000001_01_01", number) for number in (10, 11)]
    import_deeplesion(table_of(tmp_path, row()), images=images, copy=True)
    collection = Collection.objects.get()
    assert collection.image_folder == ""
    for file, image in zip(files, Slice.objects.order_by("number"), strict=True):
        assert (slice_root(collection) / image.path).read_bytes() == file.read_bytes()
    assert not list(slice_root(collection).rglob("*.part"))


def test_images_of_one_collection_lie_in_one_place(tmp_path: Path) -> None:
    first, second, table = tmp_path / "first", tmp_path / "second", table_of(tmp_path, row())
    for images in (first, second):
        draw(images, "000001_01_01", 10)
    import_deeplesion(table, images=first)
    with pytest.raises(NoImages, match="nowhere is not a folder"):
        import_deeplesion(table, images=tmp_path / "nowhere")
    with pytest.raises(ImportRefused, match="cannot lie in"):
        import_deeplesion(table, images=second)
    with pytest.raises(ImportRefused, match="cannot lie in our own storage"):
        import_deeplesion(table, images=first, copy=True)
    first.rename(tmp_path / "third")
    import_deeplesion(table, images=tmp_path / "third")
    assert Collection.objects.get().image_folder == str(tmp_path / "third")


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoImages):
        import_deeplesion(table_of(tmp_path, row()), images=tmp_path / "nowhere")
    with pytest.raises(CommandError, match="--copy needs --images"):
        run_import(table_of(tmp_path, row()), copy=True)
    assert counts() == [0] * len(TABLES)


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    images = tmp_path / "Images_png"
    for number in range(8, 13):
        draw(images, "000001_01_01", number)
    with small_disk(tmp_path / "data", 12) as disk:
        with pytest.raises(CommandError) as failed:
            run_import(table_of(tmp_path, row()), images=images, copy=True)
        assert re.fullmatch(
            rf"No space left on device: {disk}/slices/deeplesion/000001_01_01/\d+\.png; nothing was imported",
            str(failed.value),
        )
        assert counts() == [0] * len(TABLES)
        assert not list(disk.rglob("*.part"))
        subprocess.run(["mount", "-o", "remount,size=1m", str(disk)], check=True)
        run_import(table_of(tmp_path, row()), images=images, copy=True)
        assert len(list(disk.rglob("*.png"))) == 5
