"""One stored CT slice to canonical 16-bit grey values, whatever its syntax, slope and sign.

Native pixels go straight from the file's bytes to grey values with one addition; compressed ones through pydicom's
decoders. A slice that is not whole is refused, never filled up.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID, ExplicitVRBigEndian, RLELossless

from datasets.geometry import hu
from datasets.geometry.volume import Flips
from datasets.pacs import png
from datasets.pacs.codestream import stated_size
from datasets.pacs.instance import DECODE_ERRORS, plain_value_of, value_of

MAX_PIXELS = 64 * 2**20
"""More than any slice has; a header that claims more is damaged."""

HU_TYPES = ("", "HU", "HU_MOD", "US")
"""RescaleType of Hounsfield units; US, unspecified, is common in older files."""

END_OF_IMAGE = b"\xff\xd9"
"""Ends every JPEG, JPEG-LS and JPEG 2000 stream."""


class PixelError(ValueError):
    """A slice's pixels cannot be used; one phrase says why."""


class TruncatedPixels(PixelError):
    """There are fewer pixels than the header says."""


class UndecodablePixels(PixelError):
    """The pixels are missing, damaged or in a syntax that no decoder reads."""


class NotOneSlice(PixelError):
    """The object holds colour, many frames, or no image of a possible size."""


class NotHounsfield(PixelError):
    """The header does not say how stored values become Hounsfield units."""


@dataclass(frozen=True, slots=True)
class EncodedSlice:
    """A slice as it goes to the dataset."""

    values: NDArray[np.uint16]
    """(rows, columns), canonical, HU + 32768."""
    png: bytes
    pixel_hash: str
    """SHA-256 over shape and values: equal for equal pictures whatever the encoder."""
    file_hash: str
    """SHA-256 of the PNG."""


def encode_slice(dataset: Dataset, flips: Flips) -> EncodedSlice:
    """Decode a slice, make it canonical, encode it.

    Raises
    ------
    PixelError : TruncatedPixels, UndecodablePixels, NotOneSlice or NotHounsfield.
    """
    values = np.ascontiguousarray(flips.apply(grey_values(dataset)))
    data = png.encode(values)
    return EncodedSlice(values, data, pixel_hash(values), hashlib.sha256(data).hexdigest())


def pixel_hash(values: NDArray[np.uint16]) -> str:
    """SHA-256 over the shape and the little-endian values."""
    digest = hashlib.sha256(f"{values.shape[0]}x{values.shape[1]}:".encode())
    digest.update(np.ascontiguousarray(values, dtype="<u2").data)
    return digest.hexdigest()


def grey_values(dataset: Dataset) -> NDArray[np.uint16]:
    """Decode a slice as stored: clip(round(slope * stored + intercept) + 32768, 0, 65535), (rows, columns).

    Pixels with PixelPaddingValue count like any other: what lies outside the scanner's field is dark anyway.

    Raises
    ------
    PixelError : see `encode_slice`.
    """
    _check_one_slice(dataset)
    slope, intercept = _rescale(dataset)
    stored = _stored(dataset)
    if slope == 1 and intercept == int(intercept):
        return _shifted(stored, int(intercept) + hu.OFFSET)
    return hu.to_png(stored * slope + intercept)


def _shifted(stored: NDArray[Any], offset: int) -> NDArray[np.uint16]:
    low, high = int(stored.min()) + offset, int(stored.max()) + offset
    if stored.dtype.itemsize == 2 and low >= 0 and high <= 65535:
        # Modulo 65536 the sum is exact, so there is no need for wider numbers.
        return stored.view(np.uint16) + np.uint16(offset % 65536)
    return np.clip(stored.astype(np.int64) + offset, 0, 65535).astype(np.uint16)


def _check_one_slice(dataset: Dataset) -> None:
    rows, columns = (_whole(dataset, keyword, 0) for keyword in ("Rows", "Columns"))
    if rows < 1 or columns < 1 or rows * columns > MAX_PIXELS:
        raise NotOneSlice(f"an image of {columns} x {rows} pixels is not possible")
    if _whole(dataset, "NumberOfFrames", 1) > 1:
        raise NotOneSlice("it holds many frames")
    if _whole(dataset, "SamplesPerPixel", 1) != 1:
        raise NotOneSlice("it is a colour image")


def _rescale(dataset: Dataset) -> tuple[float, float]:
    kind = str(value_of(dataset, "RescaleType") or "").strip()
    try:
        slope, intercept = (float(plain_value_of(dataset, f"Rescale{each}")) for each in ("Slope", "Intercept"))
    except DECODE_ERRORS:
        raise NotHounsfield("it states no RescaleSlope and RescaleIntercept") from None
    if kind not in HU_TYPES:
        raise NotHounsfield("its values are not in Hounsfield units")
    if not (math.isfinite(slope) and math.isfinite(intercept)) or slope == 0:
        raise NotHounsfield("its RescaleSlope or RescaleIntercept is no possible number")
    return slope, intercept


def _stored(dataset: Dataset) -> NDArray[Any]:
    """The stored values, (rows, columns), signed or not as the header says."""
    syntax = UID(str(getattr(getattr(dataset, "file_meta", None), "TransferSyntaxUID", "")))
    if not isinstance(value_of(dataset, "PixelData"), bytes):
        raise UndecodablePixels("it holds no pixels")
    try:
        if syntax and syntax.is_encapsulated:
            return _decompressed(dataset, syntax)
        return _native(dataset, "big" if syntax == ExplicitVRBigEndian else "little")
    except PixelError:
        raise
    except (*DECODE_ERRORS, RuntimeError) as error:
        raise UndecodablePixels(f"its pixels cannot be decoded ({type(error).__name__})") from None


def _native(dataset: Dataset, order: str) -> NDArray[Any]:
    allocated, bits = _whole(dataset, "BitsAllocated", 0), _whole(dataset, "BitsStored", 0)
    if allocated not in (8, 16, 32) or not 1 <= bits <= allocated:
        raise UndecodablePixels(f"pixels of {bits} bits in {allocated} are not read")
    rows, columns = _whole(dataset, "Rows", 0), _whole(dataset, "Columns", 0)
    needed, there = rows * columns * allocated // 8, len(dataset.PixelData)
    if there < needed:
        raise TruncatedPixels(f"it has {there} bytes of pixels, where its header needs {needed}")
    signed = _whole(dataset, "PixelRepresentation", 0) == 1
    kind = f"{'>' if order == 'big' else '<'}{'i' if signed else 'u'}{allocated // 8}"
    stored = np.frombuffer(dataset.PixelData, dtype=kind, count=rows * columns).reshape(rows, columns)
    stored = stored.astype(stored.dtype.newbyteorder("="), copy=False)
    unused = allocated - bits
    # What stands in the bits above BitsStored, such as old overlays, is not part of the value.
    return stored << unused >> unused if unused else stored


def _decompressed(dataset: Dataset, syntax: UID) -> NDArray[Any]:
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1), b"")
    if syntax != RLELossless and not frame.rstrip(b"\0").endswith(END_OF_IMAGE):
        # The decoders fill up what is missing without a word.
        raise TruncatedPixels("its compressed pixels end early")
    if syntax != RLELossless and stated_size(frame) != (dataset.Rows, dataset.Columns):
        raise UndecodablePixels("its pixels are not of the size that its header states")
    # pylibjpeg's RLE decoder panics on damaged frames, which no exception handler stops.
    stored = pixel_array(dataset, raw=True, decoding_plugin="pydicom" if syntax == RLELossless else "")
    if stored.shape != (dataset.Rows, dataset.Columns):
        raise UndecodablePixels("its pixels are not of the size that its header states")
    return stored


def _whole(dataset: Dataset, keyword: str, default: int) -> int:
    value = plain_value_of(dataset, keyword)
    try:
        return default if value is None else int(value)
    except DECODE_ERRORS:
        return default
