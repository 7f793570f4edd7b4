"""The second stage: is a proposal a lesion, and where exactly are its edges."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from detection.network import boxcoder, operators
from detection.network.initial import start_scaled, start_small
from detection.network.matcher import BACKGROUND, NEITHER, match
from detection.network.sampler import sample
from detection.presets import Network, Training

SCALE = (0.1, 0.2)
"""Standard deviations that the final differences are divided by."""
POOLED = 7
"""Bins along each side of a proposal."""
FOREGROUND = 0.5
"""Overlap from which a proposal is a lesion."""


class Head(nn.Module):
    """RoI pooling 7x7, Conv6 3x3 (7 -> 5), Conv7 5x5 (5 -> 1), two fully connected outputs."""

    def __init__(self, channels: int, config: Network, stride: int, origin: float) -> None:
        super().__init__()
        self.config, self.stride, self.origin = config, stride, origin
        width = config.head_channels
        self.conv6 = nn.Conv2d(channels, width, 3)
        self.conv7 = nn.Conv2d(width, width, 5)
        self.score = nn.Linear(width, 2)
        self.delta = nn.Linear(width, 4)
        start_scaled(self.conv6)
        start_scaled(self.conv7)
        start_small(self.score, 0.01)
        start_small(self.delta, 0.001)

    def forward(self, features: Tensor, boxes: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        """Look at boxes (N, 4) of the batch's images (N,): (N, 2) logits (background, lesion), (N, 4) differences."""
        pooled = self.pool(features, boxes, image)
        return self.classify(pooled)

    def pool(self, features: Tensor, boxes: Tensor, image: Tensor) -> Tensor:
        """Resample what lies inside each box to 7x7."""
        if self.config.pooling == "pool":
            # Cell 0 is centred on pixel `origin`; its edges are half a stride away.
            return operators.roi_pool(features, boxes - self.origin, image, size=POOLED, scale=1 / self.stride)
        shifted = boxes - self.origin + self.stride / 2
        return operators.roi_align(features, shifted, image, size=POOLED, scale=1 / self.stride)

    def classify(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C, 7, 7) -> (N, 2), (N, 4)."""
        inner = functional.relu(self.conv6(pooled))
        # A filter as large as its input is a matrix product, which is faster as one.
        weight = self.conv7.weight.permute(0, 2, 3, 1).flatten(1)
        inner = functional.relu(functional.linear(inner.permute(0, 2, 3, 1).flatten(1), weight, self.conv7.bias))
        return self.score(inner).float(), self.delta(inner).float()

    @torch.no_grad()
    def choose(
        self, proposals: Tensor, scores: Tensor, lesions: Tensor, config: Training, generator: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Sample proposals of one image to learn from; the lesions themselves are among them.

        Returns
        -------
        (K, 4) boxes, (K,) 1 for a lesion and 0 for none, (K, 4) the lesions' boxes where 1.
        """
        boxes = torch.cat([proposals, lesions])
        labels, which = match(boxes, lesions, high=FOREGROUND, low=FOREGROUND, force=False)
        if config.ignore_unannotated:
            sure = torch.cat([scores.sigmoid() > 0.9, scores.new_zeros(len(lesions), dtype=torch.bool)])
            spared = torch.rand(len(boxes), generator=generator).to(boxes.device) < config.ignore_unannotated
            labels[(labels == BACKGROUND) & sure & spared] = NEITHER
        positive, negative = sample(labels, config.proposals_per_image, config.foreground, generator)
        index = torch.cat([positive, negative])
        target = torch.cat([torch.ones_like(positive), torch.zeros_like(negative)])
        truth = lesions[which[index]] if len(lesions) else boxes[index]
        return boxes[index], target, truth

    def loss(
        self, logits: Tensor, deltas: Tensor, boxes: Tensor, target: Tensor, truth: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Classification and regression loss over the sampled proposals of a batch."""
        classify = functional.cross_entropy(logits, target)
        positive = target == 1
        wanted = boxcoder.encode(truth[positive], boxes[positive], SCALE)
        regress = functional.smooth_l1_loss(deltas[positive], wanted, reduction="sum") / max(len(target), 1)
        return classify, regress

    @torch.no_grad()
    def refine(self, boxes: Tensor, logits: Tensor, deltas: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Final boxes (K, 4) of one image and their scores (K,), highest first."""
        scores = logits.softmax(dim=1)[:, 1]
        found = boxcoder.clip(boxcoder.decode(deltas, boxes, SCALE), size)
        kept = operators.nms(found, scores, self.config.nms_detections, self.config.detections)
        return found[kept], scores[kept]
