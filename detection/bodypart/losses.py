"""What the network is taught: slices have an order, and equal steps along the body are equal steps of the score."""

import torch.nn.functional as F
from torch import Tensor


def order_loss(scores: Tensor) -> Tensor:
    """Ask each slice to score higher than the one before: -log sigmoid(s[j+1] - s[j]), summed over j, mean over rows.

    Parameters
    ----------
    scores : (volumes, slices), from head to feet.
    """
    return -F.logsigmoid(scores.diff(dim=1)).sum(dim=1).mean()


def distance_loss(scores: Tensor, gaps: Tensor) -> Tensor:
    """Ask for equal slopes: smooth L1 of what each slice is off the line between its neighbours, doubled.

    With equal gaps that is SSBR's second difference; with unequal ones it does not blow up where two slices are close,
    as a difference of slopes would. Summed over j, mean over rows.

    Parameters
    ----------
    scores : (volumes, slices), from head to feet.
    gaps : (volumes, slices - 1), distances between neighbours in any unit.
    """
    before, after = gaps[:, :-1], gaps[:, 1:]
    between = (scores[:, :-2] * after + scores[:, 2:] * before) / (before + after)
    off = 2 * (scores[:, 1:-1] - between)
    return F.smooth_l1_loss(off, off.new_zeros(off.shape), reduction="none").sum(dim=1).mean()
