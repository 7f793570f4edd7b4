"""Exports that are not made: what is missing, changed, full or in the way is named, and nothing appears."""

import io
import re
import subprocess
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from datasets import frozen, manifest
from datasets.models import Release, Slice
from datasets.services import manifest as manifests
from datasets.services import release as releases
from datasets.services.archive import pack
from datasets.services.export import ExportRefused, export
from datasets.services.manifest import ManifestDiffers, NotPublished
from datasets.storage import slice_root
from tests.peers.disk import small_disk

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("data_dir")]


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


def test_a_place_below_a_file_is_refused_as_such(release: Release, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("kept")
    for out in (file / "foo", file / "foo" / "bar"):
        with pytest.raises(ExportRefused, match=rf"^{file} is not a folder$"):
            export(release, out)
    assert file.read_text() == "kept"
