"""Slices, frames, cache and loader."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from detection.data import slices
from detection.data.cache import SliceCache
from detection.data.dataset import Slices, batches, loader
from detection.data.frame import AIR, Frame, body_box, frame_of, resample
from detection.data.release import open_release
from detection.errors import CorruptSlice, MissingSlice, OutOfMemory
from detection.presets import Augmentation, Input
from tests.detection.releases import REAL, needs_real, row, save_png, write_release, write_table


def numbers(*present):
    return {number: Path(f"{number:03d}.png") for number in present}


@pytest.mark.parametrize(
    ("interval", "offset", "expected"),
    [
        (5.0, 2.0, (10, 11, 0.4)),
        (5.0, -2.0, (10, 9, 0.4)),
        (2.0, 2.0, (11, 11, 0.0)),
        (1.0, -2.0, (8, 8, 0.0)),
        (0.8, 2.0, (12, 13, 0.5)),
        (3.0, 8.0, (12, 13, 2 / 3)),
        (0.2, 2.0, (13, 13, 0.0)),
        (0.0, 2.0, (10, 10, 0.0)),
        (5.0, 0.0, (10, 10, 0.0)),
    ],
)
def test_channels_lie_between_the_slices_around_their_distance(interval, offset, expected):
    near, far, share = slices.between(numbers(*range(7, 14)), 10, interval, offset)
    assert (near, far) == expected[:2]
    assert share == pytest.approx(expected[2])


def test_where_a_slice_is_missing_the_next_towards_the_key_stands_for_it():
    assert slices.between(numbers(9, 10), 10, 5.0, 2.0)[:2] == (10, 10)
    assert slices.between(numbers(9, 10, 12), 10, 1.0, -8.0)[:2] == (9, 9)


def folder_with(tmp_path, interval=5.0, size=32, present=(9, 10, 11)):
    for number in present:
        save_png(tmp_path / "Images_png/000001_01_01" / f"{number:03d}.png", np.full((size, size), 100 * number))
    write_table(tmp_path / "DL_info.csv", [row(interval=interval, size=size, box=(5.0, 6.0, 15.0, 18.0))])
    return open_release(tmp_path)


def test_three_channels_are_interpolated_two_mm_apart(tmp_path):
    release = folder_with(tmp_path)
    hu, boxes, index, _ = Slices(release, release.samples("train"), Input(size=32))[0, 0]
    assert hu.dtype == torch.int16
    assert hu[:, 3, 4].tolist() == [960, 1000, 1040]
    assert boxes.tolist() == [[5, 6, 15, 18]]
    assert index == 0


def test_context_has_nine_channels_from_head_to_feet(tmp_path):
    release = folder_with(tmp_path, interval=2.0, present=range(7, 14))
    hu = Slices(release, release.samples("train"), Input(size=32, groups=3))[0, 0][0]
    assert hu[:, 0, 0].tolist() == [700, 700, 800, 900, 1000, 1100, 1200, 1300, 1300]


def test_the_cache_gives_what_decoding_gives_and_needs_no_files_after(tmp_path):
    release = folder_with(tmp_path)
    samples = release.samples("train")
    plain = Slices(release, samples, Input(size=48))[0, 0][0]
    kept = Slices(release, samples, Input(size=48), cache=tmp_path / "cache")
    assert torch.equal(kept[0, 0][0], plain)
    for path in (tmp_path / "Images_png/000001_01_01").iterdir():
        path.write_bytes(b"")
    again = Slices(release, samples, Input(size=48), cache=tmp_path / "cache")
    assert torch.equal(again[0, 0][0], plain)


def test_what_one_opening_of_a_cache_fills_another_finds(tmp_path):
    release = folder_with(tmp_path)
    opened = [Slices(release, release.samples("train"), Input(size=32), cache=tmp_path / "cache") for _ in range(2)]
    expected = opened[0][0, 0][0]
    (tmp_path / "Images_png/000001_01_01/010.png").unlink()
    assert torch.equal(opened[1][0, 0][0], expected)


def test_another_size_is_another_cache(tmp_path):
    first = SliceCache(tmp_path, "release", ["a"], 8)
    first.get("a", lambda: (np.ones((8, 8), dtype=np.int16), Frame(1, 1)))
    other, _ = SliceCache(tmp_path, "release", ["a"], 16).get(
        "a", lambda: (np.full((16, 16), 2, dtype=np.int16), Frame(2, 2))
    )
    assert (other == 2).all()


@given(
    st.floats(0.2, 4), st.floats(0.2, 4), st.floats(-50, 50), st.floats(-50, 50),
    st.lists(st.floats(-100, 600), min_size=4, max_size=4),
)  # fmt: skip
def test_a_frame_is_undone(scale_x, scale_y, left, top, box):
    frame = Frame(scale_x, scale_y, left, top)
    boxes = np.array([box])
    np.testing.assert_allclose(frame.to_slice(frame.to_input(boxes)), boxes, atol=1e-6)


def test_resampling_moves_a_spot_to_where_its_box_goes():
    hu = np.full((256, 256), -1000, dtype=np.int16)
    hu[60:100, 50:200] = 40
    hu[77:82, 117:122] = 1500
    for config in (Input(size=128), Input(size=512), Input(size=128, spacing_mm=0.8)):
        frame = frame_of(hu, 0.9, config)
        shown = resample(hu, frame, config.size)
        rows, columns = np.nonzero(shown > 700)
        expected = frame.to_input(np.array([[117.0, 77, 121, 81]]))[0]
        middle = (expected[:2] + expected[2:]) / 2
        assert [columns.mean(), rows.mean()] == pytest.approx(middle, abs=0.6)


def test_the_body_is_cut_out_at_the_wanted_pixel_size_and_the_rest_is_air():
    hu = np.full((200, 200), -1000, dtype=np.int16)
    hu[50:150, 40:160] = 0
    hu[10:12, :] = 200
    assert body_box(hu) == (40, 50, 160, 150)
    frame = frame_of(hu, 0.8, Input(size=256, spacing_mm=0.8))
    assert (frame.left, frame.top, frame.scale_x) == (40, 50, 1)
    shown = resample(hu, frame, 256)
    assert (shown[:100, :120] == 0).all()
    assert shown[150:, 160:].max() == AIR
    assert frame_of(hu, 8.0, Input(size=256, spacing_mm=0.8)).scale_x == pytest.approx(256 / 120)
    assert body_box(np.full((20, 30), -1000, dtype=np.int16)) == (0, 0, 30, 20)


def test_a_box_beyond_the_edge_is_kept_on_the_image(tmp_path):
    folder_with(tmp_path)
    write_table(
        tmp_path / "DL_info.csv", [row(size=32, box=(20.0, -4.0, 40.0, 9.0)), row(size=32, box=(31.0, 5.0, 50.0, 9.0))]
    )
    release = open_release(tmp_path)
    boxes = Slices(release, release.samples("train"), Input(size=32))[0, 0][1]
    assert boxes.tolist() == [[20, 0, 31, 9], [30, 5, 31, 9]]


def test_missing_and_corrupt_images_are_named(tmp_path):
    release = folder_with(tmp_path)
    samples = release.samples("train")
    path = tmp_path / "Images_png/000001_01_01/010.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(CorruptSlice, match=r"^000001_01_01/010.png cannot be decoded"):
        Slices(release, samples, Input(size=32))[0, 0]
    data = Slices(release, samples, Input(size=32))
    for workers in (0, 1):
        with pytest.raises(CorruptSlice) as caught:
            next(loader(data, [[(0, 0)]], workers=workers))
        assert str(caught.value) == "000001_01_01/010.png cannot be decoded; copy it again"
    path.unlink()
    with pytest.raises(MissingSlice, match=r"lacks the image 000001_01_01_010.png"):
        Slices(release, samples, Input(size=32))


def test_missing_images_are_counted(tmp_path):
    release = open_release(write_release(tmp_path))
    samples = release.samples("train")
    for sample in samples[2:]:
        (release.images / sample.folder / f"{sample.slice:03d}.png").unlink()
    said = f"^discs lacks 5 of 7 images, the first of them {samples[2].file_name}; complete the release$"
    with pytest.raises(MissingSlice, match=said):
        Slices(release, samples, Input(size=64))


@pytest.mark.parametrize("number", [10, 11])
def test_an_image_of_another_size_than_the_tables_is_named(tmp_path, number):
    release = folder_with(tmp_path)
    save_png(tmp_path / f"Images_png/000001_01_01/{number:03d}.png", np.zeros((24, 40)))
    data = Slices(release, release.samples("train"), Input(size=32))
    said = f"000001_01_01/{number:03d}.png has 40 x 24 pixels, Image_size of 000001_01_01_010.png is 32 x 32"
    with pytest.raises(CorruptSlice, match=f"^{said}; copy it again$"):
        data[0, 0]


@pytest.mark.parametrize("config", [Input(size=32), Input(size=32, spacing_mm=0.8), Input(size=32, groups=3)])
def test_a_slice_is_decoded_once_for_a_sample(tmp_path, monkeypatch, config):
    release = folder_with(tmp_path)
    decoded = []
    read = slices.read_hu
    monkeypatch.setattr(slices, "read_hu", lambda path: decoded.append(path.name) or read(path))
    data = Slices(release, release.samples("train"), config)
    (batch,) = loader(data, [[(0, 0)]], workers=0)
    assert sorted(decoded) == ["009.png", "010.png", "011.png"]
    np.testing.assert_allclose(batch.frames[0].to_input(data.samples[0].boxes), batch.boxes[0], atol=1e-5)


def test_an_eight_bit_picture_is_not_taken_for_hu(tmp_path):
    from PIL import Image

    Image.new("L", (8, 8)).save(tmp_path / "001.png")
    with pytest.raises(CorruptSlice, match=r"001.png is not a 16-bit PNG; write it anew in 16-bit grey, HU \+ 32768"):
        slices.read_hu(tmp_path / "001.png")


def test_mirrored_and_zoomed_lesions_stay_in_their_boxes(discs):
    release = open_release(discs)
    change = Augmentation(flip=True, scale=0.2, z_jitter_mm=1)
    data = Slices(release, release.samples("train"), Input(size=64), augmentation=change)
    seen = set()
    for epoch in range(6):
        hu, boxes, _, _ = data[0, epoch]
        x1, y1, x2, y2 = boxes[0].round().int().tolist()
        bright = hu[1] > 300
        assert bright[y1 : y2 + 1, x1 : x2 + 1].sum() == bright.sum() > 0
        seen.add((x1, y1))
    assert len(seen) > 1
    assert torch.equal(data[0, 3][0], data[0, 3][0])


def test_an_epoch_takes_every_sample_and_processes_share_it():
    whole = batches(10, 4, seed=1, epoch=0)
    flat = [index for batch in whole for index, _ in batch]
    assert sorted(set(flat)) == list(range(10))
    assert [len(batch) for batch in whole] == [4, 4, 4]
    halves = [batches(10, 4, seed=1, epoch=0, rank=rank, world=2) for rank in range(2)]
    assert [first + second for first, second in zip(*halves, strict=True)] == whole
    assert batches(10, 4, seed=1, epoch=1) != whole


def test_loader_processes_give_the_same_as_none(discs, tmp_path):
    release = open_release(discs)
    data = Slices(release, release.samples("train"), Input(size=64), cache=tmp_path)
    picks = batches(len(data), 4, seed=0, epoch=0)
    plain, apart = (list(loader(data, picks, workers=workers)) for workers in (0, 2))
    for one, other in zip(plain, apart, strict=True):
        assert torch.equal(one.hu, other.hu)
        assert one.index == other.index
        assert all(map(torch.equal, one.boxes, other.boxes))


def test_a_loader_process_that_is_ended_is_told_in_a_sentence(discs, monkeypatch):
    release = open_release(discs)
    data = Slices(release, release.samples("train"), Input(size=64))
    monkeypatch.setattr(Slices, "__getitem__", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(OutOfMemory, match="most often for want of memory; try fewer --workers"):
        next(loader(data, [[(0, 0)]], workers=1))


@needs_real
def test_every_real_slice_loads_in_both_frames():
    release = open_release(REAL)
    have = [
        each
        for each in release.samples("all")
        if (REAL / "Images_png" / each.folder / f"{each.slice:03d}.png").is_file()
    ]
    assert len(have) == 43
    for config in (Input(), Input(spacing_mm=0.8)):
        data = Slices(release, have, config)
        for index in range(0, len(have), 1 if config.spacing_mm is None else 4):
            hu, boxes, _, _ = data[index, 0]
            assert hu.shape == (3, 512, 512)
            assert (hu[1] > -200).float().mean() > 0.05, "there is a body"
            assert (boxes[:, 2:] > boxes[:, :2]).all()
