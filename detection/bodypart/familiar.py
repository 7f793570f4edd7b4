"""Whether a slice looks like those that a model learned from, so that a head gets no place in the abdomen.

A network gives a number for any picture. Its features tell more: their Mahalanobis distance from the training slices'
is small for other patients' slices of the same regions and large for parts of the body never seen. Noise moves places
before it looks strange: it is measured by itself.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SHRINKAGE = 0.05
"""Part of the mean variance that is added to every direction: few patients leave some directions empty."""
SLACK = 1.3
"""How much farther than nearly all validation slices a familiar slice may lie."""
NEARLY_ALL = 0.99
NOISIEST = 40.0
"""Noise of a picture (greys) up to which a network is trained, and beyond which no picture is familiar. The public key
slices of DeepLesion have 13 to 26 at 64 pixels and 10 to 17 at 128."""


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


def noise(greys: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Standard deviation of the noise (greys) of each picture, (N, H, W), where it is not black.

    Edges count a little, so that it is never 0. Source: J. Immerkaer, "Fast noise variance estimation", Computer
    Vision and Image Understanding 64, 1996.
    """
    signed = greys.astype(np.int16)
    bent = signed[:, 2:] - 2 * signed[:, 1:-1] + signed[:, :-2]
    bent = np.abs(bent[:, :, 2:] - 2 * bent[:, :, 1:-1] + bent[:, :, :-2])
    seen = greys[:, 1:-1, 1:-1] > 0
    total = (bent * seen).sum(axis=(1, 2), dtype=np.int64)
    return np.asarray(math.sqrt(math.pi / 2) / 6 * total / np.maximum(seen.sum(axis=(1, 2)), 1))
