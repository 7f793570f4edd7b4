"""Non-maximum suppression in blocks of boxes sorted by score, which stops when enough are kept."""

import torch
from torch import Tensor

from detection.network.overlap import iou

BLOCK = 256
BLOCK_GPU = 2048
"""A GPU does not mind large blocks but every look at a result."""


def nms(boxes: Tensor, scores: Tensor, threshold: float, limit: int | None = None) -> Tensor:
    """Keep a box unless it overlaps a kept one of higher score by more than `threshold`.

    Parameters
    ----------
    boxes : (N, 4) x1, y1, x2, y2; scores : (N,). A row with NaN is never kept; a box without area suppresses nothing.
    limit : stop after so many.

    Returns
    -------
    Indices of the kept boxes, highest score first; equal scores in their given order.
    """
    fine = ~(boxes.isnan().any(dim=1) | scores.isnan())
    order = torch.sort(scores.where(fine, scores.new_tensor(-torch.inf)), descending=True, stable=True).indices
    order = order[: int(fine.sum())]
    boxes = boxes[order].float()
    enough = len(order) if limit is None else limit
    kept = torch.zeros(0, dtype=torch.int64, device=boxes.device)
    block = BLOCK_GPU if boxes.is_cuda else BLOCK
    for start in range(0, len(order), block):
        index = torch.arange(start, min(start + block, len(order)), device=boxes.device)
        if len(kept):
            index = index[~(iou(boxes[kept], boxes[index]) > threshold).any(dim=0)]
        kept = torch.cat([kept, index[_alive(iou(boxes[index], boxes[index]) > threshold)]])
        if len(kept) >= enough:
            break
    return order[kept[:enough]]


def _alive(overlapping: Tensor) -> Tensor:
    """Solve one block: a box lives unless a living one before it overlaps it.

    Starting with all alive, each pass settles at least one more box for good, so the first pass that changes nothing
    has reached the one solution, which is that of going box by box.
    """
    earlier = overlapping.triu(diagonal=1).float()
    alive = torch.ones(len(earlier), dtype=earlier.dtype, device=earlier.device)
    while True:
        following = ((alive @ earlier) == 0).to(earlier.dtype)
        if torch.equal(following, alive):
            return alive.bool()
        alive = following
