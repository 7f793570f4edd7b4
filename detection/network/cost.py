"""How large a network is and how much it computes, in the terms the literature reports.

Parameters: all weights and biases. GFLOP: a multiplication and its addition are two operations, in convolutions and
fully connected layers alone (no biases, activations, poolings, suppression); backbone and proposals once, the head
once per proposal. For the paper's network at 512x512 with 300 proposals that gives 26.03 million and 262.8 GFLOP.
"""

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from detection.network.detector import Detector
from detection.network.head import POOLED
from detection.presets import Preset


def parameters(network: torch.nn.Module) -> int:
    """Number of weights and biases."""
    return sum(values.numel() for values in network.parameters())


def flop(preset: Preset, *, proposals: int = 300) -> int:
    """Operations for detecting in one image; computed on shapes alone."""
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        _forward(Detector(preset).eval(), preset, proposals)
    return int(counter.get_total_flops())


def flop_of_learning(preset: Preset) -> int:
    """Operations for learning from one image: forward with the sampled proposals, and the gradients of it.

    Of every layer's input and weights, but for the input of the first; nothing is frozen.
    """
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        outputs = _forward(Detector(preset).train(), preset, preset.training.proposals_per_image)
        torch.stack([each.sum() for each in outputs]).sum().backward()
    return int(counter.get_total_flops())


def _forward(network: Detector, preset: Preset, proposals: int) -> list[Tensor]:
    """Logits and differences of proposals and head; what lies inside the proposals stays connected to the maps."""
    size, channels = preset.input.size, preset.input.channels
    key, fused = network.features(torch.zeros(1, channels, size, size))
    logits, deltas, _ = network.rpn(key)
    pooled = fused.mean(dim=(2, 3))[:, :, None, None].expand(proposals, -1, POOLED, POOLED)
    return [logits, deltas, *network.head.classify(pooled)]
