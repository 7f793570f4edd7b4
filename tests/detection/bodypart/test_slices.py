"""Reading a release's series."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detection.bodypart.errors import NotARelease, UnreadableSlice
from detection.bodypart.slices import WINDOW, Pictures, picture, read_picture, volumes
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
    (tmp_path / "Images_png").mkdir()
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


def test_a_release_of_another_version_is_named(tmp_path: Path) -> None:
    write_release(tmp_path, {"000001_01_01": range(3, 9)})
    (tmp_path / "manifest.json").write_text('{"format_version": 99, "name": "later"}')
    with pytest.raises(NotARelease, match="later is a release of version 99, readable here is version 1"):
        volumes(tmp_path)


@pytest.mark.parametrize(
    ("sources", "given"),
    [(["published"], True), (["phantom"], True), (["bpr-small-1"], False), (["bpr-small-1", "published"], False)],
)
def test_places_that_a_regressor_computed_are_no_scale(tmp_path: Path, sources: list[str], given: bool) -> None:
    write_release(tmp_path, {"000001_01_01": range(3, 9)}, sources=sources)
    assert [(mark.z is not None) for mark in volumes(tmp_path)[0].marks] == [given]


def test_a_manifest_that_does_not_say_who_placed_the_lesions_gives_no_scale(tmp_path: Path) -> None:
    write_release(tmp_path, {"000001_01_01": range(3, 9)}, sources=["published"])
    (tmp_path / "manifest.json").write_text('{"format_version": 1, "name": "older"}')
    assert volumes(tmp_path)[0].marks[0].z is None
    (tmp_path / "manifest.json").unlink()
    assert volumes(tmp_path)[0].marks[0].z == pytest.approx(0.33), "the published download has no manifest"


def test_slices_of_odd_names_are_found_by_their_number(tmp_path: Path) -> None:
    write_release(tmp_path, {"000001_01_01": range(3, 9)})
    folder = tmp_path / "Images_png" / "000001_01_01"
    (folder / "003.png").rename(folder / "3.png")
    (folder / "004.png").rename(folder / "0004.png")
    for name in ("5.png", "key.png", "6.PNG", "-7.png", "۷.png"):
        (folder / name).write_bytes(b"not a slice")
    volume = volumes(tmp_path)[0]
    assert volume.numbers == (3, 4, 5, 6, 7, 8)
    for number in volume.numbers:
        assert read_picture(volume.path(number), 32).shape == (32, 32)


def test_a_damaged_slice_is_named_without_its_path(tmp_path: Path) -> None:
    folder = tmp_path / "000001_01_01"
    folder.mkdir()
    (folder / "001.png").write_bytes(b"\x89PNG but not really")
    Image.new("RGB", (8, 8)).save(folder / "002.png")
    Image.new("L", (8, 8), 120).save(folder / "003.png")
    for size, number in ((9_000, 4), (20_000, 5)):
        (folder / f"00{number}.png").write_bytes(claiming(size))
    for name, words in (
        ("001.png", "cannot be decoded"),
        ("002.png", "is not a 16-bit PNG"),
        ("003.png", "is not a 16-bit PNG"),
        ("004.png", "is larger than any slice"),
        ("005.png", "cannot be decoded"),
        ("006.png", "is not there"),
    ):
        with pytest.raises(UnreadableSlice, match=f"^slice 000001_01_01/{name} {words}"):
            read_picture(folder / name, 64)


def claiming(size: int) -> bytes:
    """A PNG of a few bytes that says it has size x size pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", size, size, 16, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_pictures_are_decoded_once(tmp_path: Path) -> None:
    write_release(tmp_path, {"000001_01_01": range(3, 9), "000002_01_02": [4, 5, 9]})
    series = volumes(tmp_path)
    pictures = Pictures(series, 32, threads=1, folder=tmp_path)
    before = pictures.get([(0, 0), (1, 2), (0, 0)])
    for each in series:
        each.path(each.numbers[0]).unlink()
    np.testing.assert_array_equal(pictures.get([(0, 0)])[0], before[0])
    np.testing.assert_array_equal(before[0], before[2])
    assert type(before) is np.ndarray
    with pytest.raises(UnreadableSlice):
        pictures.get([(1, 0)])
    assert {path.name for path in tmp_path.iterdir()} == {"DL_info.csv", "Images_png"}, "the file has no name"
    pictures.close()


@pytest.mark.parametrize("tissue", [-100, -60, 0, 60])
def test_noise_averages_out_before_the_window_can_cut_it(tissue: int) -> None:
    hu = np.random.default_rng(0).normal(tissue, 150, (512, 512))
    clean = picture(np.full((512, 512), tissue), 64).astype(float)
    assert abs(picture(hu, 64).mean() - clean.mean()) < (6 if tissue < WINDOW[0] + 30 else 1)


def test_what_pads_a_slice_darkens_nothing_beside_it() -> None:
    hu = np.full((128, 128), 100)
    hu[:, 65:] = -32768
    assert picture(hu, 64)[0, 31] == picture(np.full((128, 128), 100), 64)[0, 31]
    assert picture(hu, 64)[0, 32] == 0
