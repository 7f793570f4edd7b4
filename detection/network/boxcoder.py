"""Boxes as differences to other boxes, and back (Faster R-CNN's parametrisation)."""

import math

import torch
from torch import Tensor

LARGEST = math.log(1000 / 16)
"""Bound on the logarithm of a growth, so that exp cannot overflow."""


def encode(boxes: Tensor, reference: Tensor, scale: tuple[float, float]) -> Tensor:
    """Describe boxes relative to reference boxes.

    Parameters
    ----------
    boxes, reference : (N, 4) x1, y1, x2, y2 in pixels.
    scale : standard deviations of shift and log size, which the result is divided by.

    Returns
    -------
    (N, 4) dx, dy, dw, dh.
    """
    size = (reference[:, 2:] - reference[:, :2]).clamp(min=1e-3)
    shift = (boxes[:, :2] + boxes[:, 2:] - reference[:, :2] - reference[:, 2:]) / 2 / size
    growth = ((boxes[:, 2:] - boxes[:, :2]).clamp(min=1e-3) / size).log()
    return torch.cat([shift / scale[0], growth / scale[1]], dim=1)


def decode(deltas: Tensor, reference: Tensor, scale: tuple[float, float]) -> Tensor:
    """Undo `encode`; shapes (..., 4)."""
    size = reference[..., 2:] - reference[..., :2]
    centre = (reference[..., :2] + reference[..., 2:]) / 2 + deltas[..., :2] * scale[0] * size
    half = (deltas[..., 2:] * scale[1]).clamp(max=LARGEST).exp() * size / 2
    return torch.cat([centre - half, centre + half], dim=-1)


def clip(boxes: Tensor, size: int) -> Tensor:
    """Keep boxes on the image: 0..size - 1, pixel centres at integers."""
    return boxes.clamp(0, size - 1)
