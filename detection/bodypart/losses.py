"""What the network is taught: slices have an order, and equal steps along the body are equal steps of the score.

SSBR asks for equal steps within a series alone. Then nothing holds one patient's scores to another's: a network that
takes a fat patient's chest for an abdomen loses nothing. With distances in mm, the same for all patients, it does.

That distances in mm make scores of different scans agree is an idea of S. Schuhegger, "Body part regression for CT
images", arXiv 2110.09148, 2021.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

UNIT_MM = 60.0
"""Distance along the body that is 1 of the raw score."""
BEND = 0.5
"""Deviation from which the distance loss grows in a straight line: people are of different size."""


def order_loss(scores: Tensor) -> Tensor:
    """Ask each slice to score higher than the one before: -log sigmoid(s[j+1] - s[j]), summed over j, mean over rows.

    Parameters
    ----------
    scores : (volumes, slices), from head to feet.
    """
    return -F.logsigmoid(scores.diff(dim=1)).sum(dim=1).mean()


def distance_loss(scores: Tensor, gaps: Tensor, measured: Tensor) -> Tensor:
    """Ask each step of the score to be the distance along the body: smooth L1, summed over j, mean over rows.

    Parameters
    ----------
    scores : (volumes, slices), from head to feet.
    gaps : (volumes, slices - 1), distances between neighbours.
    measured : (volumes,) whether the gaps are in mm. Where they are in slices of unknown distance, steps are asked to
        be in proportion to them, whatever their mean.
    """
    steps = scores.diff(dim=1)
    alike = gaps / gaps.mean(dim=1, keepdim=True) * steps.mean(dim=1, keepdim=True)
    wanted = torch.where(measured[:, None], gaps / UNIT_MM, alike)
    return F.smooth_l1_loss(steps, wanted, reduction="none", beta=BEND).sum(dim=1).mean()
