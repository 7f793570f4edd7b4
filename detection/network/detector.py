"""The universal lesion detector: backbone, proposals, head (Fig. 7)."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from detection.network.backbones import KINDS
from detection.network.head import Head
from detection.network.initial import start_scaled, start_small
from detection.network.rpn import ProposalNetwork
from detection.presets import Input, Preset

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet, which the pretrained weights expect, on a scale of 0..1."""


class Found(NamedTuple):
    """Detections in one image, in pixels of the input."""

    boxes: Tensor
    """(K, 4) x1, y1, x2, y2, 0-based, pixel centres at integers."""
    scores: Tensor
    """(K,) 0..1, highest first."""


class Losses(NamedTuple):
    """The two classification and two regression losses that are optimised together."""

    rpn_class: Tensor
    rpn_box: Tensor
    head_class: Tensor
    head_box: Tensor

    def total(self) -> Tensor:
        """Their sum."""
        return self.rpn_class + self.rpn_box + self.head_class + self.head_box


class Window(nn.Module):
    """HU to what the backbone expects: the window's ends become 0 and 1, then ImageNet's normalisation."""

    scale: Tensor
    offset: Tensor

    def __init__(self, config: Input) -> None:
        super().__init__()
        self.windows = config.windows
        low, high = torch.tensor(config.windows).reshape(-1, 2, 1, 1, 1).unbind(1)
        mean, std = (torch.tensor(values).reshape(1, 3, 1, 1) for values in (MEAN, STD))
        self.register_buffer("scale", 1 / (high - low) / std, persistent=False)
        self.register_buffer("offset", -(low / (high - low) + mean) / std, persistent=False)

    def forward(self, hu: Tensor) -> Tensor:
        """(B, 3 G, H, W) HU of any type -> (B G, 3 per window, H, W), channels-last."""
        groups = hu.reshape(-1, 3, *hu.shape[2:]).contiguous(memory_format=torch.channels_last).float()
        # Clamped in HU, so that window and normalisation are one multiplication: memory is what this costs.
        shown = [
            torch.addcmul(offset, groups.clamp(low, high), scale)
            for (low, high), scale, offset in zip(self.windows, self.scale, self.offset, strict=True)
        ]
        return torch.cat(shown, dim=1) if len(shown) > 1 else shown[0]


class Detector(nn.Module):
    """Finds lesions of all types on axial slices."""

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        self.preset = preset
        self.window = Window(preset.input)
        self.backbone = KINDS[preset.network.backbone](3 * len(preset.input.windows))
        start_scaled(self.backbone)
        channels, stride, origin = self.backbone.channels, self.backbone.stride, self.backbone.origin
        self.fuse = None
        if preset.input.groups > 1:
            self.fuse = nn.Conv2d(channels * preset.input.groups, channels, 1)
            _start_from_the_middle(self.fuse, channels, preset.input.groups)
        self.rpn = ProposalNetwork(channels, preset.network, stride, origin)
        self.head = Head(channels, preset.network, stride, origin)

    def forward(
        self, hu: Tensor, lesions: list[Tensor] | None = None, generators: Sequence[torch.Generator] = ()
    ) -> Losses | list[Found]:
        """Learn or detect.

        Parameters
        ----------
        hu : (B, channels, S, S) slices in HU, S = `preset.input.size`.
        lesions : per image (M, 4) boxes in pixels of the input: losses are returned. None: detections are.
        generators : one per image, draws the anchors and proposals to learn from; needed with `lesions`. Each has its
            own, so that several processes learn what one would.
        """
        key, fused = self.features(hu)
        logits, deltas, boxes = self.rpn(key)
        if lesions is None:
            return self._detect(fused, logits, deltas, boxes, hu.shape[-1])
        if len(generators) != len(hu):
            raise ValueError("Learning needs a generator per image")
        return self._learn(fused, (logits, deltas, boxes), lesions, hu.shape[-1], generators)

    def features(self, hu: Tensor) -> tuple[Tensor, Tensor]:
        """Map of the group with the key slice, for the proposals, and the fused map for the head."""
        maps = self.backbone(self.window(hu).to(self.rpn.conv.weight.dtype))
        if self.fuse is None:
            return maps, maps
        groups = self.preset.input.groups
        grouped = maps.reshape(len(hu), groups, *maps.shape[1:])
        return grouped[:, groups // 2], torch.relu(self.fuse(grouped.flatten(1, 2)))

    def _detect(self, features: Tensor, logits: Tensor, deltas: Tensor, boxes: Tensor, size: int) -> list[Found]:
        limit = self.preset.network.proposals
        proposals = [
            self.rpn.propose(logit, delta, boxes, size, limit)[0] for logit, delta in zip(logits, deltas, strict=True)
        ]
        counts = [len(found) for found in proposals]
        scores, differences = self.head(features, torch.cat(proposals), _image_of(counts, features.device))
        parts = zip(proposals, scores.split(counts), differences.split(counts), strict=True)
        return [Found(*self.head.refine(found, score, delta, size)) for found, score, delta in parts]

    def _learn(
        self, features: Tensor, rpn: tuple[Tensor, Tensor, Tensor], lesions: list[Tensor], size: int,
        generators: Sequence[torch.Generator],
    ) -> Losses:  # fmt: skip
        logits, deltas, boxes = rpn
        config = self.preset.training
        rpn_class, rpn_box = self.rpn.loss(logits, deltas, boxes, lesions, size, config, generators)
        limit = self.preset.network.proposals_training
        chosen = []
        detached = logits.detach(), deltas.detach()
        for logit, delta, truth, generator in zip(*detached, lesions, generators, strict=True):
            proposals, scores = self.rpn.propose(logit, delta, boxes, size, limit)
            chosen.append(self.head.choose(proposals, scores, truth, config, generator))
        proposals, target, truth = (torch.cat(parts) for parts in zip(*chosen, strict=True))
        image = _image_of([len(one[0]) for one in chosen], features.device)
        scores, differences = self.head(features, proposals, image)
        head_class, head_box = self.head.loss(scores, differences, proposals, target, truth)
        return Losses(rpn_class, rpn_box, head_class, head_box)

    def freeze_early(self) -> None:
        """Keep the pretrained early layers as they are, and every batch normalisation of the backbone."""
        for layer in self.backbone.early():
            layer.requires_grad_(False)
        self.frozen_norms = [layer for layer in self.backbone.modules() if isinstance(layer, nn.BatchNorm2d)]

    frozen_norms: list[nn.BatchNorm2d] = []

    def train(self, mode: bool = True) -> "Detector":
        """As for every module; frozen normalisations stay in evaluation."""
        super().train(mode)
        for layer in self.frozen_norms:
            layer.eval()
        return self


def _image_of(counts: list[int], device: torch.device) -> Tensor:
    """Index of the image that each of the concatenated boxes belongs to."""
    return torch.cat([torch.full((count,), number, dtype=torch.int64) for number, count in enumerate(counts)]).to(
        device
    )


def _start_from_the_middle(fuse: nn.Conv2d, channels: int, groups: int) -> None:
    """Begin as if there were only the middle group, plus a little noise for the others to grow from."""
    start_small(fuse, 0.001)
    start = groups // 2 * channels
    with torch.no_grad():
        fuse.weight[:, start : start + channels, 0, 0] += torch.eye(channels)
