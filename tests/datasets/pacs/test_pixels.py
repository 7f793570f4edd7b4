"""Stored slices become the same grey values whatever their syntax, and nothing is made up."""

from __future__ import annotations

import hashlib
import resource
from io import BytesIO
from pathlib import Path
from typing import Any

import gdcm
import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from datasets.geometry.volume import Flips
from datasets.pacs import pixels, png
from datasets.pacs.directory import read_file
from datasets.pacs.source import Unreadable
from tests.datasets.pacs.dicom_files import ct, picture, save

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

AS_STORED = Flips(columns=False, rows=False)
GREY = picture().astype(np.int32) + 32768


def in_syntax(syntax: str, folder: Path) -> Path:
    """Write the picture in a transfer syntax."""
    path = folder / "slice.dcm"
    slice_ = ct()
    if syntax == JPEGLosslessSV1:
        return with_gdcm(save(slice_, folder / "native.dcm"), path)
    if syntax in (RLELossless, JPEG2000Lossless, JPEGLSLossless):
        slice_.compress(syntax, generate_instance_uid=False)
    elif syntax == ExplicitVRBigEndian:
        slice_.PixelData = np.frombuffer(slice_.PixelData, "<u2").astype(">u2").tobytes()
    slice_.file_meta.TransferSyntaxUID = syntax
    return save(slice_, path)


def with_gdcm(native: Path, path: Path) -> Path:
    reader = gdcm.ImageReader()
    reader.SetFileName(str(native))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    return path


SYNTAXES = [
    ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian,
    RLELossless, JPEG2000Lossless, JPEGLSLossless, JPEGLosslessSV1,
]  # fmt: skip


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
def test_every_transfer_syntax_gives_the_same_pixels(syntax: str, tmp_path: Path) -> None:
    path = in_syntax(syntax, tmp_path)
    dataset = read_file(path)
    assert dataset.file_meta.TransferSyntaxUID == syntax
    np.testing.assert_array_equal(pixels.grey_values(dataset), GREY)


@pytest.mark.parametrize("kept", [0.3, 0.7, 0.95])
@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
def test_a_truncated_file_is_never_filled_up(syntax: str, kept: float, tmp_path: Path) -> None:
    path = in_syntax(syntax, tmp_path)
    whole = path.read_bytes()
    start = (
        whole.find(b"\xe0\x7f\x10\x00") if syntax not in (DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian) else 400
    )
    path.write_bytes(whole[: start + int(kept * (len(whole) - start))])
    with pytest.raises((pixels.PixelError, Unreadable)):
        pixels.grey_values(read_file(path))


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless], ids=lambda syntax: syntax.name)
def test_a_truncated_frame_in_a_whole_file_is_never_filled_up(syntax: str) -> None:
    slice_ = ct()
    slice_.compress(syntax, generate_instance_uid=False)
    frame = next(pydicom.encaps.generate_frames(slice_.PixelData, number_of_frames=1))
    slice_.PixelData = encapsulate([frame[: len(frame) // 2 * 2 - 200]])
    with pytest.raises(pixels.PixelError):
        pixels.grey_values(slice_)


def test_missing_native_pixels_are_named() -> None:
    slice_ = ct()
    slice_.PixelData = slice_.PixelData[:-2]
    with pytest.raises(pixels.TruncatedPixels, match="6142 bytes"):
        pixels.grey_values(slice_)


@pytest.mark.parametrize(
    ("slope", "intercept"), [(1, -1024), (1, 0), (2, -1000), (0.5, -0.25), (-1, 100), (1, 0.5), (1, -40000), (100, 0)]
)
@pytest.mark.parametrize("kind", ["<u1", "<u2", "<i2", "<i4"])
def test_any_slope_intercept_and_sign(slope: float, intercept: float, kind: str) -> None:
    stored = (np.arange(16).reshape(4, 4) * 16).astype(kind)
    bits = 8 * stored.itemsize
    slice_ = ct(
        RescaleSlope=slope, RescaleIntercept=intercept, BitsAllocated=bits, BitsStored=bits, HighBit=bits - 1,
        PixelRepresentation=int("i" in kind), Rows=4, Columns=4, PixelData=stored.tobytes(),
    )  # fmt: skip
    expected = np.clip(np.rint(stored.astype(float) * slope + intercept) + 32768, 0, 65535)
    np.testing.assert_array_equal(pixels.grey_values(slice_), expected)


@pytest.mark.parametrize("representation", [0, 1])
def test_bits_above_the_stored_ones_are_no_part_of_the_value(representation: int) -> None:
    stored = np.array([[0x0000, 0x0FFF], [0xF123, 0x8800]], dtype="<u2")
    slice_ = ct(Rows=2, Columns=2, PixelRepresentation=representation, PixelData=stored.tobytes())
    expected = slice_.pixel_array.astype(int) - 1024 + 32768
    np.testing.assert_array_equal(pixels.grey_values(slice_), expected)


def test_padding_counts_as_a_value_and_is_clipped() -> None:
    stored = np.array([[-32768, -2000], [-2000, 50]], dtype="<i2")
    slice_ = ct(
        Rows=2, Columns=2, BitsStored=16, HighBit=15, PixelRepresentation=1, PixelPaddingValue=-2000,
        PixelData=stored.tobytes(),
    )  # fmt: skip
    assert pixels.grey_values(slice_).tolist() == [[0, 32768 - 3024], [32768 - 3024, 32768 - 974]]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"NumberOfFrames": 2}, pixels.NotOneSlice),
        ({"SamplesPerPixel": 3}, pixels.NotOneSlice),
        ({"Rows": 0}, pixels.NotOneSlice),
        ({"Rows": 65535, "Columns": 65535}, pixels.NotOneSlice),
        ({"RescaleSlope": None}, pixels.NotHounsfield),
        ({"RescaleSlope": 0}, pixels.NotHounsfield),
        ({"RescaleType": "OD"}, pixels.NotHounsfield),
        ({"BitsAllocated": 12}, pixels.UndecodablePixels),
        ({"PixelData": None}, pixels.UndecodablePixels),
    ],
)
def test_what_is_no_ct_slice_is_refused_in_words(changes: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=r"\w+ \w+"):
        pixels.grey_values(ct(**changes))


def test_garbage_in_a_compressed_frame_is_undecodable() -> None:
    slice_ = ct()
    slice_.file_meta.TransferSyntaxUID = JPEG2000Lossless
    slice_.PixelData = encapsulate([b"garbage " * 40 + b"\xff\xd9"])
    with pytest.raises(pixels.UndecodablePixels):
        pixels.grey_values(slice_)


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless, JPEGLosslessSV1], ids=lambda syntax: syntax.name)
def test_a_compressed_picture_that_claims_gigabytes_is_refused_before_it_is_decoded(
    syntax: str, tmp_path: Path
) -> None:
    slice_ = read_file(in_syntax(syntax, tmp_path))
    frame = bytearray(next(pydicom.encaps.generate_frames(slice_.PixelData, number_of_frames=1)))
    if syntax == JPEG2000Lossless:
        frame[8:16] = b"\x00\x00\xff\xff" * 2
    else:
        place = frame.index(slice_.Rows.to_bytes(2, "big") + slice_.Columns.to_bytes(2, "big"))
        frame[place : place + 4] = b"\xff\xff\xff\xff"
    slice_.PixelData = encapsulate([bytes(frame)])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(pixels.UndecodablePixels, match="not of the size"):
        pixels.grey_values(slice_)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_a_compressed_picture_of_another_size_is_refused() -> None:
    slice_ = ct()
    slice_.compress(JPEG2000Lossless, generate_instance_uid=False)
    slice_.Rows = slice_.Rows * 2
    with pytest.raises(pixels.PixelError):
        pixels.grey_values(slice_)


def open_png(data: bytes) -> np.ndarray:
    with Image.open(BytesIO(data)) as image:
        assert image.mode == "I;16"
        assert not image.info
        return np.array(image)


def test_flips_reach_the_picture_and_its_hashes_tell_pictures_apart() -> None:
    upright = pixels.encode_slice(ct(), AS_STORED)
    mirrored = pixels.encode_slice(ct(), Flips(columns=True, rows=False))
    np.testing.assert_array_equal(open_png(upright.png), GREY)
    np.testing.assert_array_equal(open_png(mirrored.png), GREY[:, ::-1])
    assert upright.pixel_hash != mirrored.pixel_hash
    assert upright.file_hash == hashlib.sha256(upright.png).hexdigest()


def test_the_pixel_hash_depends_on_the_shape_and_not_on_the_syntax(tmp_path: Path) -> None:
    compressed = pixels.encode_slice(read_file(in_syntax(JPEGLSLossless, tmp_path)), AS_STORED)
    assert compressed.pixel_hash == pixels.encode_slice(ct(), AS_STORED).pixel_hash
    values = compressed.values
    assert pixels.pixel_hash(values) != pixels.pixel_hash(values.reshape(values.shape[::-1]))


grey = arrays(np.uint16, array_shapes(min_dims=2, max_dims=2, max_side=40))


@given(grey)
@settings(max_examples=300)
def test_png_gives_back_every_pixel(values: np.ndarray) -> None:
    np.testing.assert_array_equal(open_png(png.encode(values)), values)


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 7, 300, 65536]))
def test_png_gives_back_noise_of_any_strength(seed: int, strength: int) -> None:
    noise = np.random.default_rng(seed).integers(0, strength, (33, 47)) + 32768 - strength // 2
    values = noise.astype(np.uint16)
    np.testing.assert_array_equal(open_png(png.encode(values)), values)


def test_dataset_without_file_meta_is_taken_for_native() -> None:
    slice_ = ct()
    bare = Dataset()
    bare.update(slice_)
    np.testing.assert_array_equal(pixels.grey_values(bare), GREY)
