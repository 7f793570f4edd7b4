"""From a slice's pixels to the network's input and back."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from detection.data.slices import Hu
from detection.presets import Input

BODY_HU = -768
OPENING = 7
"""Pixels by which the body mask is opened: the table and tubes go."""
AIR = -1024
"""HU where the slice does not reach."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Frame:
    """Scale and place of the input on its slice."""

    scale_x: float
    scale_y: float
    left: float = 0.0
    top: float = 0.0
    """Pixels of the slice before the input begins."""

    def to_input(self, boxes: Floats) -> Floats:
        """(N, 4) boxes of the slice, 0-based, pixel centres at integers, to the same in the input."""
        scale = np.array([self.scale_x, self.scale_y] * 2)
        return (boxes - [self.left, self.top] * 2 + 0.5) * scale - 0.5

    def to_slice(self, boxes: Floats) -> Floats:
        """Undo `to_input`."""
        scale = np.array([self.scale_x, self.scale_y] * 2)
        return (boxes + 0.5) / scale - 0.5 + [self.left, self.top] * 2


def frame_of(key: Hu, spacing: float, config: Input) -> Frame:
    """Choose the frame of a sample from its key slice.

    The paper's way brings the whole slice to `config.size`; with `config.spacing_mm` the body is cut out and brought
    to that pixel size, or smaller where it would not fit.
    """
    rows, columns = key.shape
    if config.spacing_mm is None:
        return Frame(config.size / columns, config.size / rows)
    left, top, right, bottom = body_box(key)
    scale = min(spacing / config.spacing_mm, config.size / max(right - left, bottom - top))
    return Frame(scale, scale, left, top)


def body_box(hu: Hu) -> tuple[int, int, int, int]:
    """Left, top, right, bottom (ends excluded) of what is denser than air; the whole slice where that is nothing."""
    mask = Image.fromarray(((hu > BODY_HU) * np.uint8(255)).astype(np.uint8))
    opened = mask.filter(ImageFilter.MinFilter(OPENING)).filter(ImageFilter.MaxFilter(OPENING))
    return opened.getbbox() or (0, 0, hu.shape[1], hu.shape[0])


def resample(hu: Hu, frame: Frame, size: int) -> Hu:
    """Bring a slice into a frame, bilinear: (size, size) HU; air where the slice does not reach."""
    if hu.shape == (size, size) and frame == Frame(1.0, 1.0):
        return hu
    right = min(frame.left + size / frame.scale_x, hu.shape[1])
    bottom = min(frame.top + size / frame.scale_y, hu.shape[0])
    columns = max(min(round((right - frame.left) * frame.scale_x), size), 1)
    rows = max(min(round((bottom - frame.top) * frame.scale_y), size), 1)
    # The part that the whole number of pixels covers, so that the scale is the frame's to the last digit.
    part = (frame.left, frame.top, min(frame.left + columns / frame.scale_x, hu.shape[1]),
            min(frame.top + rows / frame.scale_y, hu.shape[0]))  # fmt: skip
    image = Image.fromarray(hu.astype(np.float32))
    inner = image.resize((columns, rows), Image.Resampling.BILINEAR, box=part)
    result = np.full((size, size), AIR, dtype=np.int16)
    result[:rows, :columns] = np.rint(np.asarray(inner))
    return result
