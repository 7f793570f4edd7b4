"""Releases as folders: whole or absent, the same each time, and for imported rows what was imported."""

import csv
import errno
import io
import json
import os
import shutil
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from pytest_django import DjangoAssertNumQueries, Settings

from datasets import dl_info, manifest
from datasets.models import Patient, Release, ReleaseManifest, Slice
from datasets.services import manifest as manifests
from datasets.services import release as releases
from datasets.services.export import ExportRefused, export
from datasets.services.import_deeplesion import import_deeplesion
from datasets.services.manifest import MissingImage, NotPublished
from datasets.storage import slice_root
from tests.datasets.tables import REAL, cells, draw, needs_real_data, row, write

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _data_folder(settings: Settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path / "data"


@pytest.fixture
def release(tmp_path: Path) -> Release:
    """Three patients with images in our own storage: slices 8 to 12 around the lesion on 10, and one far away."""
    images = tmp_path / "Images_png"
    rows = [row(number, split=number) for number in (1, 2, 3)]
    for each in rows:
        for number in (8, 9, 10, 11, 12, 40):
            draw(images, each.folder, number, seed=each.patient)
    import_deeplesion(write(tmp_path / "in.csv", rows), images=images, copy=True, release="r-1")
    return Release.objects.get()


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


def test_the_manifest_describes_every_file(release: Release, tmp_path: Path) -> None:
    export(release, tmp_path / "out")
    content = json.loads((tmp_path / "out" / "manifest.json").read_text())
    files = _files(tmp_path / "out")
    assert content["files"] == [
        {"path": name, "bytes": len(files[name]), "sha256": sha256(files[name]).hexdigest()}
        for name in sorted(files.keys() - {"manifest.json"})
    ]
    assert content["name"] == "r-1"
    assert content["created"] == release.published.isoformat()
    assert content["coordinate_convention"] == manifest.COORDINATE_CONVENTION
    assert content["counts"] == release.counts == manifest.count(tmp_path / "out")
    assert content["counts"]["test"] == {"patients": 1, "studies": 1, "series": 1, "slices": 5, "lesions": 1}
    assert manifest.verify(tmp_path / "out") == []


def test_two_exports_are_the_same_to_the_byte(release: Release, tmp_path: Path) -> None:
    for name in ("one", "two"):
        export(release, tmp_path / name)
    assert _files(tmp_path / "one") == _files(tmp_path / "two")
    stored = ReleaseManifest.objects.get()
    text = (tmp_path / "one" / "manifest.json").read_bytes()
    assert (stored.sha256, stored.files) == (sha256(text).hexdigest(), 16)
    assert stored.bytes == sum(entry["bytes"] for entry in json.loads(text)["files"])
    assert manifests.path_of(release).read_bytes() == text


def test_a_lost_manifest_is_made_again_as_it_was(release: Release) -> None:
    first = manifests.prepare(release_name="r-1")
    text = manifests.path_of(release).read_bytes()
    shutil.rmtree(manifests.path_of(release).parent)
    assert manifests.prepare(release_name="r-1") == first
    assert manifests.path_of(release).read_bytes() == text


def test_preparing_hashes_slices_once_and_tells_how_far_it_is(release: Release) -> None:
    seen: list[tuple[int, int]] = []
    manifests.prepare(release_name="r-1", progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (15, 15)
    root = slice_root(release.collection)
    for image in Slice.objects.exclude(sha256=""):
        assert image.sha256 == sha256((root / image.path).read_bytes()).hexdigest()
    assert Slice.objects.exclude(sha256="").count() == 15


def test_images_are_hard_links_where_the_file_system_allows(release: Release, tmp_path: Path) -> None:
    export(release, tmp_path / "out")
    name = "000001_01_01/010.png"
    assert (tmp_path / "out" / "Images_png" / name).samefile(slice_root(release.collection) / name)


def test_images_are_copies_elsewhere(release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def other_device(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", other_device)
    export(release, tmp_path / "out")
    name = "000001_01_01/010.png"
    assert not (tmp_path / "out" / "Images_png" / name).samefile(slice_root(release.collection) / name)
    assert manifest.verify(tmp_path / "out") == []


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


def test_a_missing_image_is_named_before_anything_appears(release: Release, tmp_path: Path) -> None:
    (slice_root(release.collection) / "000002_01_01" / "009.png").unlink()
    with pytest.raises(CommandError, match=r"^000002_01_01/009\.png cannot be read: No such file"):
        call_command("release", "export", "r-1", out=tmp_path / "out", stdout=io.StringIO())
    assert not (tmp_path / "out").exists()
    assert not ReleaseManifest.objects.exists()
    assert not manifests.path_of(release).exists()


def test_an_image_that_goes_missing_after_the_manifest_leaves_nothing_behind(release: Release, tmp_path: Path) -> None:
    manifests.prepare(release_name="r-1")
    image = slice_root(release.collection) / "000002_01_01" / "009.png"
    content = image.read_bytes()
    image.unlink()
    with pytest.raises(MissingImage, match=r"000002_01_01/009\.png cannot be read"):
        export(release, tmp_path / "out")
    image.write_bytes(content + b"more")
    with pytest.raises(MissingImage, match="has changed since"):
        export(release, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Images_png", "data", "in.csv"]


def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(CommandError, match=r"^No space left on device"):
        call_command("release", "export", "r-1", out=tmp_path / "out", stdout=io.StringIO())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Images_png", "data", "in.csv"]


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


def test_ranges_beyond_the_volume_export_what_is_there(tmp_path: Path) -> None:
    images = tmp_path / "Images_png"
    table = write(tmp_path / "in.csv", [cells(row(), Slice_range="1, 100"), row(2, split=2), row(3, split=3)])
    for number in (9, 10, 11):
        draw(images, "000001_01_01", number)
    import_deeplesion(table, images=images)
    release = releases.create("r", Patient.objects.first().collection, split="official")
    export(release, tmp_path / "out")
    assert [path.name for path in sorted((tmp_path / "out").rglob("*.png"))] == ["009.png", "010.png", "011.png"]
