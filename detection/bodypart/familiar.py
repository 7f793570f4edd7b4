"""Whether a slice looks like those that a model learned from, so that a head gets no place in the abdomen.

A network gives a number for any picture. Its features tell more: their Mahalanobis distance from the training slices'
is small for other patients' slices of the same regions and large for parts of the body never seen.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

SHRINKAGE = 0.05
"""Part of the mean variance that is added to every direction: few patients leave some directions empty."""
SLACK = 1.3
"""How much farther than nearly all validation slices a familiar slice may lie."""
NEARLY_ALL = 0.99


@dataclass(frozen=True)
class Familiarity:
    """Mean, (D,), whitening matrix, (D, D), and the greatest distance that counts as familiar."""

    mean: Tensor
    whitening: Tensor
    limit: float

    def distance(self, features: Tensor) -> Tensor:
        """Distance of each slice's features, (N, D), from the training slices; about 1 for ordinary ones."""
        return ((features - self.mean) @ self.whitening).square().mean(dim=1).sqrt()

    def to(self, device: str) -> "Familiarity":
        return Familiarity(self.mean.to(device), self.whitening.to(device), self.limit)


def learn(training: Tensor, validation: Tensor) -> Familiarity:
    """Fit on the features of training slices, (N, D), and set the limit by those of other patients' slices, (M, D)."""
    mean = training.mean(dim=0)
    covariance = torch.cov(training.T.double())
    covariance += torch.eye(len(covariance)) * covariance.diagonal().mean() * SHRINKAGE
    whitening = torch.linalg.inv(torch.linalg.cholesky(covariance)).T.float().contiguous()
    unlimited = Familiarity(mean, whitening, 0.0)
    ordinary = float(torch.quantile(unlimited.distance(validation), NEARLY_ALL))
    return Familiarity(mean, whitening, SLACK * ordinary)
