"""Reading a release's series."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detection.bodypart.errors import NotARelease, UnreadableSlice
from detection.bodypart.slices import WINDOW, Pictures, picture, read_hu, volumes
from tests.detection.bodypart.columns import write_release


def test_series_carry_numbers_interval_and_marks(tmp_path: Path) -> None:
    write_release(tmp_path, {"000001_01_01": range(3, 9), "000002_01_02": [4, 5, 9]}, interval=-2.5)
    first, second = volumes(tmp_path)
    assert first.numbers == (3, 4, 5, 6, 7, 8)
    assert first.interval == 2.5
    assert second.numbers == (4, 5, 9)
    np.testing.assert_allclose(second.millimetres(), [10, 12.5, 22.5])
    assert second.marks[0].slice == 5
    assert second.marks[0].type is None


def test_a_series_without_pictures_is_left_out(tmp_path: Path) -> None:
    write_release(tmp_path, {"000001_01_01": range(3, 9), "000002_01_02": []})
    assert [each.name for each in volumes(tmp_path)] == ["000001_01_01"]


@pytest.mark.parametrize("text", [None, "a,b\n1,2\n", "\x00"])
def test_what_is_no_release_is_named(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "DL_info.csv").write_text(text)
    with pytest.raises(NotARelease):
        volumes(tmp_path)


def test_picture_shows_the_window_at_any_size() -> None:
    low, high = WINDOW
    hu = np.full((192, 192), (low + high) / 2)
    hu[:96] = -1000
    hu[:, :96] = 1500
    seen = picture(hu, 64)
    assert seen.shape == (64, 64)
    assert (seen[:32, 32:] == 0).all()
    assert (seen[:, :32] == 255).all()
    assert (np.abs(seen[32:, 32:].astype(int) - 127) <= 1).all()
    assert picture(np.zeros((512, 768)), 128).shape == (128, 128)


def test_a_damaged_slice_is_named_without_its_path(tmp_path: Path) -> None:
    folder = tmp_path / "000001_01_01"
    folder.mkdir()
    (folder / "001.png").write_bytes(b"\x89PNG but not really")
    with pytest.raises(UnreadableSlice, match=r"slice 000001_01_01/001\.png cannot be read"):
        read_hu(folder / "001.png")
    Image.new("RGB", (8, 8)).save(folder / "002.png")
    with pytest.raises(UnreadableSlice, match="not a grey picture"):
        read_hu(folder / "002.png")


def test_pictures_are_decoded_once(tmp_path: Path) -> None:
    write_release(tmp_path, {"000001_01_01": range(3, 9), "000002_01_02": [4, 5, 9]})
    series = volumes(tmp_path)
    pictures = Pictures(series, 32, threads=1)
    before = pictures.get([(0, 0), (1, 2), (0, 0)])
    for each in series:
        each.path(each.numbers[0]).unlink()
    np.testing.assert_array_equal(pictures.get([(0, 0)])[0], before[0])
    np.testing.assert_array_equal(before[0], before[2])
    with pytest.raises(UnreadableSlice):
        pictures.get([(1, 0)])
    pictures.close()
