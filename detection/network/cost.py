"""How large a network is and how much it computes, in the terms the literature reports.

Parameters: all weights and biases. GFLOP: a multiplication and its addition are two operations, in convolutions and
fully connected layers alone (no biases, activations, poolings, suppression); backbone and proposals once, the head
once per proposal. For the paper's network at 512x512 with 300 proposals that gives 26.03 million and 262.8 GFLOP.
"""

import torch
from torch.utils.flop_counter import FlopCounterMode

from detection.network.detector import Detector
from detection.network.head import POOLED
from detection.presets import Preset


def parameters(network: torch.nn.Module) -> int:
    """Number of weights and biases."""
    return sum(values.numel() for values in network.parameters())


def flop(preset: Preset, *, proposals: int = 300) -> int:
    """Operations for one image; computed on shapes alone."""
    with torch.device("meta"):
        network = Detector(preset).eval()
        size, channels = preset.input.size, preset.input.channels
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            key, fused = network.features(torch.zeros(1, channels, size, size))
            network.rpn(key)
            network.head.classify(torch.zeros(proposals, fused.shape[1], POOLED, POOLED))
    return int(counter.get_total_flops())
