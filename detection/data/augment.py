"""Random changes of a sample; the paper made none."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from detection.data.frame import AIR, Floats
from detection.data.slices import Hu
from detection.presets import Augmentation

LEAST = 0.5
"""Share of what was seen of a lesion that a zoom must leave on the image, or it is no lesion to find there."""


def augment(hu: Hu, boxes: Floats, config: Augmentation, rng: np.random.Generator) -> tuple[NDArray[np.int16], Floats]:
    """Mirror and zoom about the middle: (C, S, S) slices and (M, 4) boxes in them, 0-based.

    A lesion of which a zoom moves more than half off the image (`LEAST`) is dropped, so that there may be none left. A
    box that hangs over an edge from the beginning counts with what lies on the image.
    """
    size = hu.shape[-1]
    if config.flip and rng.random() < 0.5:
        hu = np.ascontiguousarray(hu[..., ::-1])
        boxes = np.stack([size - 1 - boxes[:, 2], boxes[:, 1], size - 1 - boxes[:, 0], boxes[:, 3]], axis=1)
    if config.scale:
        zoom = 1 + rng.uniform(-config.scale, config.scale)
        middle = (size - 1) / 2
        seen = _seen(boxes, size)
        boxes = (boxes - middle) * zoom + middle
        boxes = boxes[_seen(boxes, size) >= LEAST * seen * zoom**2]
        hu = np.stack([_zoomed(channel, zoom) for channel in hu])
    return hu, boxes


def _seen(boxes: Floats, size: int) -> Floats:
    """Area of each box, (M,) pixels, that lies on the image, whose outermost pixels reach half a pixel beyond 0 and
    size - 1."""
    on = np.clip(boxes, -0.5, size - 0.5)
    seen: Floats = (on[:, 2] - on[:, 0]) * (on[:, 3] - on[:, 1])
    return seen


def _zoomed(channel: Hu, zoom: float) -> Hu:
    size = len(channel)
    shift = (1 - 1 / zoom) * size / 2
    image = Image.fromarray(channel.astype(np.float32))
    values = image.transform(
        (size, size), Image.Transform.AFFINE, (1 / zoom, 0, shift, 0, 1 / zoom, shift),
        Image.Resampling.BILINEAR, fillcolor=AIR,
    )  # fmt: skip
    return np.rint(np.asarray(values)).astype(np.int16)
