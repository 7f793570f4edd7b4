"""Overlap of boxes with continuous edges, as tensors."""

import torch
from torch import Tensor


def iou(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of every pair: (N, 4), (M, 4) -> (N, M).

    NaN where both boxes are empty and touch, so that such a pair passes no threshold.
    """
    ax1, ay1, ax2, ay2 = first.t()[:, :, None].unbind(0)
    bx1, by1, bx2, by2 = second.t()[:, None, :].unbind(0)
    intersection = (torch.minimum(ax2, bx2) - torch.maximum(ax1, bx1)).clamp(min=0)
    intersection = intersection * (torch.minimum(ay2, by2) - torch.maximum(ay1, by1)).clamp(min=0)
    return intersection / (area(first)[:, None] + area(second)[None, :] - intersection)


def area(boxes: Tensor) -> Tensor:
    """(N, 4) -> (N,)."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
