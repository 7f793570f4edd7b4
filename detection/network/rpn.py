"""The region proposal network: where in the image a lesion may be."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from detection.network import boxcoder, operators
from detection.network.anchors import anchors
from detection.network.initial import start_scaled, start_small
from detection.network.matcher import match
from detection.network.sampler import sample
from detection.presets import Network, Training

SCALE = (1.0, 1.0)
"""The proposals' differences are not normalised."""
LOW = 0.3
"""Overlap below which an anchor stands for background."""
BETA = 1 / 9
"""Where smooth L1 turns from a square to a line."""
SMALLEST = 1.0
"""Proposals narrower than this many pixels are dropped."""


class ProposalNetwork(nn.Module):
    """One logit and four differences per anchor and cell."""

    def __init__(self, channels: int, config: Network, stride: int, origin: float) -> None:
        super().__init__()
        self.config, self.stride, self.origin = config, stride, origin
        per_cell = len(config.scales) * len(config.ratios)
        self.conv = nn.Conv2d(channels, config.rpn_channels, 3, padding=1)
        self.score = nn.Conv2d(config.rpn_channels, per_cell, 1)
        self.delta = nn.Conv2d(config.rpn_channels, 4 * per_cell, 1)
        start_scaled(self.conv)
        for layer in (self.score, self.delta):
            start_small(layer, 0.01)
        self._anchors: dict[tuple[int, int, torch.device], Tensor] = {}

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Score every anchor.

        Returns
        -------
        (B, N) logits, (B, N, 4) differences, (N, 4) anchors.
        """
        inner = functional.relu(self.conv(features))
        batch, _, rows, columns = features.shape
        logits = self.score(inner).permute(0, 2, 3, 1).reshape(batch, -1)
        deltas = self.delta(inner).permute(0, 2, 3, 1).reshape(batch, -1, 4)
        return logits.float(), deltas.float(), self.anchors(rows, columns, features.device)

    def anchors(self, rows: int, columns: int, device: torch.device) -> Tensor:
        """Anchors of a map of this size, made once."""
        key = rows, columns, device
        if key not in self._anchors:
            made = anchors(
                rows, columns, stride=self.stride, origin=self.origin,
                scales=self.config.scales, ratios=self.config.ratios,
            )  # fmt: skip
            self._anchors[key] = made.to(device)
        return self._anchors[key]

    @torch.no_grad()
    def propose(self, logits: Tensor, deltas: Tensor, boxes: Tensor, size: int, limit: int) -> tuple[Tensor, Tensor]:
        """Best boxes of one image after suppression of near duplicates: (K, 4) and their logits (K,), K <= limit."""
        top = torch.topk(logits, min(self.config.before_nms, len(logits)))
        found = boxcoder.clip(boxcoder.decode(deltas[top.indices], boxes[top.indices], SCALE), size)
        wide = ((found[:, 2:] - found[:, :2]) >= SMALLEST).all(dim=1)
        scores = top.values.where(wide, top.values.new_tensor(torch.nan))
        kept = operators.nms(found, scores, self.config.nms_proposals, limit)
        return found[kept], top.values[kept]

    def loss(
        self, logits: Tensor, deltas: Tensor, boxes: Tensor, lesions: list[Tensor], size: int,
        config: Training, generators: Sequence[torch.Generator],
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Classification and regression loss over sampled anchors of a batch.

        Anchors that cross the image's border take no part, as in Faster R-CNN: also not as the one that overlaps a
        lesion most, so that a lesion at the border has the best of the others to stand for it.
        """
        inside = ((boxes[:, :2] >= 0) & (boxes[:, 2:] <= size - 1)).all(dim=1).nonzero().squeeze(1)
        boxes = boxes[inside]
        scores, targets, differences, wanted, count = [], [], [], [], 0
        for logit, delta, truth, generator in zip(
            logits[:, inside], deltas[:, inside], lesions, generators, strict=True
        ):
            labels, which = match(boxes, truth, high=config.anchor_overlap, low=LOW, force=True)
            positive, negative = sample(labels, config.anchors_per_image, 0.5, generator)
            scores += [logit[positive], logit[negative]]
            targets += [torch.ones_like(logit[positive]), torch.zeros_like(logit[negative])]
            count += len(positive) + len(negative)
            if len(positive):
                differences.append(delta[positive])
                wanted.append(boxcoder.encode(truth[which[positive]], boxes[positive], SCALE))
        classify = functional.binary_cross_entropy_with_logits(torch.cat(scores), torch.cat(targets))
        if not differences:
            return classify, deltas.sum() * 0
        regress = functional.smooth_l1_loss(torch.cat(differences), torch.cat(wanted), beta=BETA, reduction="sum")
        return classify, regress / max(count, 1)
