"""NMS and RoI pooling: on a GPU torchvision's where it loads, else the project's own, which compute the same.

On a processor the project's own run in either case; `benchmarks.operators` times both where torchvision loads.
"""

from typing import Any

import torch
from torch import Tensor

from detection.network import nms as own_nms
from detection.network import roi_align as own_align
from detection.network import roi_pool as own_pool


def _torchvision() -> Any:
    """torchvision.ops, if its compiled part fits this torch."""
    try:
        from torchvision import ops

        ops.nms(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([1.0]), 0.5)
    except (ImportError, RuntimeError, OSError, AttributeError, NotImplementedError):
        return None
    return ops


OPS = _torchvision()


def nms(boxes: Tensor, scores: Tensor, threshold: float, limit: int) -> Tensor:
    """See `detection.network.nms.nms`."""
    if OPS is not None and boxes.is_cuda:
        fine = (~(boxes.isnan().any(dim=1) | scores.isnan())).nonzero().squeeze(1)
        kept: Tensor = OPS.nms(boxes[fine].float(), scores[fine].float(), threshold)
        return fine[kept[:limit]]
    return own_nms.nms(boxes, scores, threshold, limit)


def roi_align(maps: Tensor, boxes: Tensor, image: Tensor, *, size: int, scale: float) -> Tensor:
    """See `detection.network.roi_align.roi_align`."""
    if OPS is not None and maps.is_cuda:
        pooled: Tensor = OPS.roi_align(maps.float(), _rois(boxes, image), size, scale, 2, True)
        return pooled.to(maps.dtype)
    return own_align.roi_align(maps, boxes, image, size=size, scale=scale)


def roi_pool(maps: Tensor, boxes: Tensor, image: Tensor, *, size: int, scale: float) -> Tensor:
    """See `detection.network.roi_pool.roi_pool`."""
    if OPS is not None and maps.is_cuda:
        pooled: Tensor = OPS.roi_pool(maps.float(), _rois(boxes, image), size, scale)
        return pooled.to(maps.dtype)
    return own_pool.roi_pool(maps, boxes, image, size=size, scale=scale)


def _rois(boxes: Tensor, image: Tensor) -> Tensor:
    """Boxes as torchvision wants them; in float32, as bfloat16 cannot tell neighbouring pixels apart."""
    return torch.cat([image[:, None].float(), boxes.float()], dim=1)
