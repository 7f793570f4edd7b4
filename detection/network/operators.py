"""NMS and RoI pooling: on a GPU torchvision's where it loads, else the project's own, which compute the same.

On a processor the project's own run in either case, as they are faster; `benchmarks.operators` times both.
"""

from torch import Tensor

from detection.network import nms as own_nms
from detection.network import roi_align as own_align
from detection.network import roi_pool as own_pool
from detection.network import torchvision_ops


def nms(boxes: Tensor, scores: Tensor, threshold: float, limit: int) -> Tensor:
    """See `detection.network.nms.nms`."""
    if _theirs(boxes):
        return torchvision_ops.nms(boxes, scores, threshold, limit)
    return own_nms.nms(boxes, scores, threshold, limit)


def roi_align(maps: Tensor, boxes: Tensor, image: Tensor, *, size: int, scale: float) -> Tensor:
    """See `detection.network.roi_align.roi_align`."""
    if _theirs(maps):
        return torchvision_ops.roi_align(maps, boxes, image, size=size, scale=scale)
    return own_align.roi_align(maps, boxes, image, size=size, scale=scale)


def roi_pool(maps: Tensor, boxes: Tensor, image: Tensor, *, size: int, scale: float) -> Tensor:
    """See `detection.network.roi_pool.roi_pool`."""
    if _theirs(maps):
        return torchvision_ops.roi_pool(maps, boxes, image, size=size, scale=scale)
    return own_pool.roi_pool(maps, boxes, image, size=size, scale=scale)


def _theirs(values: Tensor) -> bool:
    return torchvision_ops.OPS is not None and values.is_cuda
