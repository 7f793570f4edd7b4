"""Which boxes stand for a lesion, which for background, which for neither."""

import torch
from torch import Tensor

from detection.network.overlap import iou

LESION, BACKGROUND, NEITHER = 1, 0, -1


def match(boxes: Tensor, lesions: Tensor, *, high: float, low: float, force: bool) -> tuple[Tensor, Tensor]:
    """Compare boxes with the lesions of one image.

    Parameters
    ----------
    boxes : (N, 4), lesions : (M, 4); M may be 0.
    high : overlap from which a box stands for its lesion; low : below it, for background.
    force : the boxes that overlap a lesion best stand for it, however little that is.

    Returns
    -------
    (N,) LESION, BACKGROUND or NEITHER; (N,) index of the best lesion, 0 where there is none.
    """
    labels = torch.full((len(boxes),), BACKGROUND, dtype=torch.int8, device=boxes.device)
    if not len(lesions):
        return labels, torch.zeros(len(boxes), dtype=torch.int64, device=boxes.device)
    overlaps = iou(boxes, lesions).nan_to_num(0.0)
    best, which = overlaps.max(dim=1)
    labels[best >= low] = NEITHER
    labels[best >= high] = LESION
    if force:
        top = overlaps.amax(dim=0)
        forced = ((overlaps == top) & (top > 0)).any(dim=1)
        labels[forced] = LESION
    return labels, which
