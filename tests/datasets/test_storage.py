"""Stored files: whole or absent."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from pytest_django import Settings

from datasets.models import Collection
from datasets.storage import AtomicFileStorage, slice_root, slice_storage


class _BreaksOff(ContentFile):
    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        yield b"half"
        raise OSError("the source went away")


def test_a_file_is_stored_under_its_name_again_and_again(tmp_path: Path) -> None:
    storage = AtomicFileStorage(location=tmp_path)
    for content in (b"one", b"two"):
        assert storage.save("000001_01_01/001.png", ContentFile(content)) == "000001_01_01/001.png"
    assert (tmp_path / "000001_01_01" / "001.png").read_bytes() == b"two"


def test_a_write_that_breaks_off_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    storage = AtomicFileStorage(location=tmp_path)
    storage.save("a.png", ContentFile(b"whole"))
    with pytest.raises(OSError, match="went away"):
        storage.save("a.png", _BreaksOff(b""))
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
    assert (tmp_path / "a.png").read_bytes() == b"whole"


def test_a_file_is_for_its_owner_to_write_and_its_group_to_read(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        AtomicFileStorage(location=tmp_path).save("000001_01_01/001.png", ContentFile(b"x" * 3_000_000))
    finally:
        os.umask(before)
    stored = tmp_path / "000001_01_01" / "001.png"
    assert (stored.stat().st_mode & 0o777, stored.stat().st_size) == (0o640, 3_000_000)


def test_slices_lie_in_our_own_folder_or_where_the_dataset_lies(settings: Settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    own, outside = Collection(slug="h"), Collection(slug="d", image_folder=str(tmp_path / "elsewhere"))
    for collection, root in ((own, tmp_path / "slices" / "h"), (outside, tmp_path / "elsewhere")):
        assert slice_root(collection) == root
        assert Path(slice_storage(collection).path("a/001.png")) == root / "a" / "001.png"
