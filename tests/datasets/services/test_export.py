"""Releases as folders: whole or absent, the same each time, and for imported rows what was imported."""

import csv
import errno
import fcntl
import io
import json
import os
import re
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from datasets import dl_info, frozen, manifest
from datasets.models import Patient, Release, ReleaseManifest, Slice
from datasets.services import manifest as manifests
from datasets.services import release as releases
from datasets.services.archive import pack
from datasets.services.export import ExportRefused, export
from datasets.services.import_deeplesion import import_deeplesion
from datasets.services.manifest import ManifestDiffers, NotPublished
from datasets.storage import slice_root
from tests.datasets.tables import REAL, cells, draw, needs_real_data, row, write
from tests.peers.disk import small_disk

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("data_dir")]


def _files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_export_is_table_images_and_manifest(release: Release, tmp_path: Path) -> None:
    export(release, tmp_path / "out")
    names = {f"Images_png/{number:06d}_01_01/{key:03d}.png" for number in (1, 2, 3) for key in range(8, 13)}
    files = _files(tmp_path / "out")
    assert files.keys() == names | {"DL_info.csv", "manifest.json"}
    assert [found for _, found, _ in dl_info.read(tmp_path / "out" / "DL_info.csv")] == [
        row(number, split=number) for number in (1, 2, 3)
    ]
    assert list(tmp_path.glob(".out*")) == []


def test_two_exports_are_the_same_to_the_byte(release: Release, tmp_path: Path) -> None:
    for name in ("one", "two"):
        export(release, tmp_path / name)
    assert _files(tmp_path / "one") == _files(tmp_path / "two")
    stored = ReleaseManifest.objects.get()
    text = (tmp_path / "one" / "manifest.json").read_bytes()
    assert (stored.sha256, stored.files) == (sha256(text).hexdigest(), 16)
    assert stored.bytes == sum(entry["bytes"] for entry in json.loads(text)["files"])
    assert manifests.path_of(release).read_bytes() == text


def test_whoever_edits_an_exported_image_edits_that_alone(release: Release, tmp_path: Path) -> None:
    export(release, tmp_path / "out")
    before = _files(slice_root(release.collection))
    for exported in (tmp_path / "out").rglob("*.png"):
        with exported.open("r+b") as file:
            file.write(b"edited")
    assert _files(slice_root(release.collection)) == before


def test_a_reader_of_our_own_gets_links_where_the_file_system_allows(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "000001_01_01/010.png"
    store = slice_root(release.collection) / name
    export(release, tmp_path / "links", link=True)
    assert (tmp_path / "links" / "Images_png" / name).samefile(store)

    def other_device(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", other_device)
    export(release, tmp_path / "copies", link=True)
    assert not (tmp_path / "copies" / "Images_png" / name).samefile(store)
    assert manifest.verify(tmp_path / "copies") == manifest.verify(tmp_path / "links") == []


@pytest.mark.parametrize("number", [errno.EXDEV, errno.ENOSYS])
def test_images_are_copied_where_the_kernel_does_not_do_it(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "copy_file_range", refuse)
    export(release, tmp_path / "out")
    assert len(list((tmp_path / "out").rglob("*.png"))) == 15
    assert manifest.verify(tmp_path / "out") == []


def test_what_the_kernel_copies_in_part_is_completed(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.copy_file_range

    def some(source: int, target: int, count: int, *offsets: int) -> int:
        return 0 if offsets[0] else whole(source, target, 100, *offsets)

    monkeypatch.setattr(os, "copy_file_range", some)
    export(release, tmp_path / "out")
    assert manifest.verify(tmp_path / "out") == []


def test_a_killed_export_goes_on_and_ends_the_same(release: Release, tmp_path: Path) -> None:
    export(release, tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / ".out.part")
    done, cut, missing, *_ = sorted((tmp_path / ".out.part").rglob("*.png"))
    cut.write_bytes(cut.read_bytes()[:100])
    missing.unlink()
    kept = done.stat().st_mtime_ns, done.stat().st_ino
    export(release, tmp_path / "out")
    place = tmp_path / "out" / done.relative_to(tmp_path / ".out.part")
    assert (place.stat().st_mtime_ns, place.stat().st_ino) == kept, "what was there is not copied again"
    assert _files(tmp_path / "out") == _files(tmp_path / "whole")
    assert list(tmp_path.glob(".*")) == []


def test_links_that_a_killed_export_left_become_copies(release: Release, tmp_path: Path) -> None:
    export(release, tmp_path / ".out.part", link=True)
    export(release, tmp_path / "out")
    assert all(path.stat().st_nlink == 1 for path in (tmp_path / "out").rglob("*.png"))
    assert manifest.verify(tmp_path / "out") == []


def test_what_a_killed_export_of_another_release_left_is_not_mixed_in(release: Release, tmp_path: Path) -> None:
    export(release, tmp_path / ".out.part")
    (tmp_path / ".out.part" / "manifest.json").write_text("{}")
    (tmp_path / ".out.part" / "Images_png" / "stranger.png").write_text("")
    export(release, tmp_path / "out")
    assert manifest.verify(tmp_path / "out") == []


def test_two_exports_to_one_place_do_not_meet(release: Release, tmp_path: Path) -> None:
    part = tmp_path / ".out.part"
    part.mkdir()
    held = os.open(part, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(ExportRefused, match=r"another export to .*/out is under way"):
            export(release, tmp_path / "out")
        assert part.is_dir()
    finally:
        os.close(held)
    export(release, tmp_path / "out")


def test_who_waits_for_the_manifest_of_another_process_can_be_cancelled(release: Release, tmp_path: Path) -> None:
    class Cancelled(Exception):
        pass

    def cancel(done: int, total: int) -> None:
        assert (done, total) == (0, 0)
        raise Cancelled

    part = manifests.path_of(release).with_name(".manifest.json.part")
    part.parent.mkdir(parents=True)
    with part.open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Cancelled):
            export(release, tmp_path / "out", progress=cancel)
    assert not (tmp_path / "out").exists()
    export(release, tmp_path / "out")


def test_without_images_the_manifest_lists_the_table_alone(release: Release, tmp_path: Path) -> None:
    export(release, tmp_path / "out", images=False)
    assert _files(tmp_path / "out").keys() == {"DL_info.csv", "manifest.json"}
    assert manifest.verify(tmp_path / "out") == []


def test_an_empty_folder_is_taken_and_a_full_one_refused(release: Release, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    export(release, tmp_path / "out")
    with pytest.raises(ExportRefused, match="not an empty folder"):
        export(release, tmp_path / "out")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ExportRefused):
        export(release, tmp_path / "file")


def test_a_missing_or_damaged_image_is_named_and_nothing_appears(release: Release, tmp_path: Path) -> None:
    image = slice_root(release.collection) / "000002_01_01" / "009.png"
    content = image.read_bytes()
    before = sorted(tmp_path.iterdir())

    def told() -> str:
        with pytest.raises(CommandError) as failed:
            call_command("release", "export", "r-1", out=tmp_path / "out", stdout=io.StringIO())
        assert sorted(tmp_path.iterdir()) == before
        return str(failed.value)

    image.unlink()
    assert told() == f"{image} cannot be read: No such file or directory"
    for damage in (content + b"more", content[:-1], content[:-1] + b"?", b""):
        image.write_bytes(damage)
        assert told() == (
            f"{image} is damaged: its SHA-256 is not the one that 000002_01_01/009.png was released with"
        )
    image.write_bytes(content)
    export(release, tmp_path / "out")


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (
            "UPDATE datasets_slice SET stored = FALSE, stored_at = NULL WHERE number = 9",
            "it lists Images_png/000001_01_01/009.png, found is Images_png/000001_01_01/010.png",
        ),
        (
            "UPDATE datasets_slice SET stored = FALSE, stored_at = NULL WHERE number >= 12",
            "it lists Images_png/000001_01_01/012.png, found is Images_png/000002_01_01/008.png",
        ),
        (
            "UPDATE datasets_lesion SET last_slice = 40",
            "it lists Images_png/000002_01_01/008.png, found is Images_png/000001_01_01/040.png",
        ),
        (
            "DELETE FROM datasets_slice WHERE number = 12",
            "it lists Images_png/000001_01_01/012.png, found is Images_png/000002_01_01/008.png",
        ),
        (
            "UPDATE datasets_patient SET number = number + 10",
            "it lists Images_png/000001_01_01/008.png, found is Images_png/000011_01_01/008.png",
        ),
        (
            "UPDATE datasets_slice SET sha256 = pixel_hash",
            "Images_png/000001_01_01/008.png has another size or SHA-256",
        ),
        ("UPDATE datasets_slice SET bytes = 1", "Images_png/000001_01_01/008.png has another size or SHA-256"),
        ("UPDATE datasets_releaselesion SET line = 'x'", "DL_info.csv has another size or SHA-256"),
    ],
)
def test_a_database_that_no_longer_says_what_the_manifest_lists_is_not_exported(
    release: Release, tmp_path: Path, statement: str, told: str
) -> None:
    manifests.prepare(release_name="r-1")
    before = sorted(tmp_path.iterdir())
    # As in a database that had no triggers yet.
    frozen.drop(connection)
    with connection.cursor() as cursor:
        cursor.execute(statement)
    with pytest.raises(CommandError) as failed:
        call_command("release", "export", "r-1", out=tmp_path / "out", stdout=io.StringIO())
    assert str(failed.value) == f"r-1 holds other files than its manifest says: {told}"
    with pytest.raises(ManifestDiffers):
        pack(release, progress=lambda *_: None)
    assert sorted(tmp_path.iterdir()) == before


def test_images_that_the_manifest_lists_last_are_missed_too(release: Release, tmp_path: Path) -> None:
    manifests.prepare(release_name="r-1")
    frozen.drop(connection)
    Slice.objects.filter(number=12, series__study__patient__number=3).update(stored=False, stored_at=None)
    with pytest.raises(ManifestDiffers, match=r"it lists Images_png/000003_01_01/012\.png, found is nothing$"):
        export(release, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_manifest_that_was_changed_is_not_exported(release: Release, tmp_path: Path) -> None:
    manifests.prepare(release_name="r-1")
    path = manifests.path_of(release)
    path.write_text(path.read_text().replace("000001_01_01/009.png", "000001_01_01/099.png"))
    with pytest.raises(ManifestDiffers, match=rf"^{path} is damaged: it is not the manifest that r-1 was prepared"):
        export(release, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("kilobytes", "file"), [(4, r"DL_info\.csv"), (64, r"Images_png/\S+\.png")])
def test_a_full_disk_is_one_sentence_leaves_nothing_and_the_next_export_is_whole(
    release: Release, tmp_path: Path, kilobytes: int, file: str
) -> None:
    with small_disk(tmp_path / "disk", kilobytes) as disk:
        with pytest.raises(CommandError) as failed:
            call_command("release", "export", "r-1", out=disk / "out", stdout=io.StringIO())
        assert re.fullmatch(
            rf"No space left on device: {disk}/\.out\.part/{file}; nothing was exported",
            str(failed.value),
        )
        assert list(disk.iterdir()) == []
        subprocess.run(["mount", "-o", "remount,size=1m", str(disk)], check=True)
        export(release, disk / "out")
        assert manifest.verify(disk / "out") == []


def test_a_draft_is_not_exported(release: Release, tmp_path: Path) -> None:
    draft = releases.create("draft", release.collection, split="official", publish=False)
    for images in (True, False):
        with pytest.raises(NotPublished):
            export(draft, tmp_path / "out", images=images)
    with pytest.raises(NotPublished):
        manifests.prepare(release_name="draft")


def test_queries_do_not_grow_with_the_slices(
    release: Release, tmp_path: Path, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(25):
        export(release, tmp_path / "out")


@needs_real_data
def test_the_published_rows_come_back_from_import_release_and_export(tmp_path: Path) -> None:
    import_deeplesion(REAL / "DL_info.csv", images=REAL / "Images_png", release="deeplesion")
    release = Release.objects.get()
    export(release, tmp_path / "out")
    with (REAL / "DL_info.csv").open() as one, (tmp_path / "out" / "DL_info.csv").open() as other:
        published, exported = list(csv.DictReader(one)), list(csv.DictReader(other))
    assert len(published) == len(exported) == 4946
    for column in dl_info.COLUMNS:
        for before, after in zip(published, exported, strict=True):
            if column in ("File_name", "Patient_gender"):
                assert before[column] == after[column]
            else:
                numbers = [np.array(each[column].split(","), dtype=float) for each in (before, after)]
                np.testing.assert_allclose(*numbers, rtol=0, atol=1e-3, equal_nan=True)
    official = dict(Patient.objects.values_list("number", "official_split"))
    assert dict(release.patients.values_list("patient__number", "split")) == official
    assert release.counts["test"]["lesions"] == 4927
    assert manifest.verify(tmp_path / "out") == []
    assert sum(counts["slices"] for counts in release.counts.values()) == 43
    assert release.compared == {"slices": 43, "slices_unhashed": 0, "key_slices_without": 4850 - 43}


def test_ranges_beyond_the_volume_export_what_is_there(tmp_path: Path) -> None:
    images = tmp_path / "Images_png"
    table = write(tmp_path / "in.csv", [cells(row(), Slice_range="1, 100"), row(2, split=2), row(3, split=3)])
    for number in (9, 10, 11):
        draw(images, "000001_01_01", number)
    import_deeplesion(table, images=images)
    release = releases.create("r", Patient.objects.first().collection, split="official")
    export(release, tmp_path / "out")
    assert [path.name for path in sorted((tmp_path / "out").rglob("*.png"))] == ["009.png", "010.png", "011.png"]


def test_images_that_come_later_are_in_the_next_release_alone(tmp_path: Path) -> None:
    images = tmp_path / "Images_png"
    rows = [row(number, split=number) for number in (1, 2, 3)]
    table = write(tmp_path / "in.csv", rows)
    draw(images, "000001_01_01", 10)
    import_deeplesion(table, images=images, release="r-1")
    first = Release.objects.get()
    export(first, tmp_path / "before")
    for each in rows:
        if each.patient > 1:
            draw(images, each.folder, 10, seed=each.patient)
        draw(images, each.folder, 11, seed=each.patient)
    import_deeplesion(table, images=images)
    second = releases.create("r-2", first.collection, split="official")
    assert [sum(counts["slices"] for counts in each.counts.values()) for each in (first, second)] == [1, 6]
    export(second, tmp_path / "second")
    assert manifest.verify(tmp_path / "second") == []
    shutil.rmtree(manifests.path_of(first).parent)
    export(first, tmp_path / "after")
    assert _files(tmp_path / "after") == _files(tmp_path / "before")


def test_a_place_below_a_file_is_refused_as_such(release: Release, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("kept")
    for out in (file / "foo", file / "foo" / "bar"):
        with pytest.raises(ExportRefused, match=rf"^{file} is not a folder$"):
            export(release, out)
    assert file.read_text() == "kept"
