"""Releases as folders: whole or absent, the same each time, and for imported rows what was imported."""

import csv
import errno
import fcntl
import json
import os
import shutil
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from pytest_django import DjangoAssertNumQueries

from datasets import dl_info, manifest
from datasets.models import Patient, Release, ReleaseManifest
from datasets.services import manifest as manifests
from datasets.services import release as releases
from datasets.services.export import ExportRefused, export
from datasets.services.import_deeplesion import import_deeplesion
from datasets.storage import slice_root
from tests.datasets.tables import REAL, cells, draw, needs_real_data, row, write

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
