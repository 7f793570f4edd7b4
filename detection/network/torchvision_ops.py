"""torchvision's NMS and RoI pooling, asked as the project's own are, and where its compiled part fits this torch."""

from typing import Any

import torch
from torch import Tensor

OFF_MAP = -1e4


def _loaded() -> Any:
    try:
        from torchvision import ops

        ops.nms(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([1.0]), 0.5)
    except (ImportError, RuntimeError, OSError, AttributeError, NotImplementedError):
        return None
    return ops


OPS = _loaded()
"""torchvision.ops, or None."""


def nms(boxes: Tensor, scores: Tensor, threshold: float, limit: int) -> Tensor:
    """See `detection.network.nms.nms`."""
    fine = (~(boxes.isnan().any(dim=1) | scores.isnan())).nonzero().squeeze(1)
    kept: Tensor = OPS.nms(boxes[fine].float(), scores[fine].float(), threshold)
    return fine[kept[:limit]]


def roi_align(maps: Tensor, boxes: Tensor, image: Tensor, *, size: int, scale: float) -> Tensor:
    """See `detection.network.roi_align.roi_align`."""
    pooled: Tensor = OPS.roi_align(maps.float(), _rois(boxes, image), size, scale, 2, True)
    return pooled.to(maps.dtype)


def roi_pool(maps: Tensor, boxes: Tensor, image: Tensor, *, size: int, scale: float) -> Tensor:
    """See `detection.network.roi_pool.roi_pool`."""
    pooled: Tensor = OPS.roi_pool(maps.float(), _rois(boxes, image), size, scale)
    return pooled.to(maps.dtype)


def _rois(boxes: Tensor, image: Tensor) -> Tensor:
    """Boxes as torchvision wants them.

    In float32, as bfloat16 cannot tell neighbouring pixels apart; a NaN box goes off the map, for torchvision would
    look up a cell that is not there.
    """
    spoiled = boxes.isnan().any(dim=1, keepdim=True)
    return torch.cat([image[:, None].float(), boxes.float().masked_fill(spoiled, OFF_MAP)], dim=1)
