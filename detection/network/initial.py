"""Random weights to start from."""

from torch import nn


def start_small(layer: nn.Conv2d | nn.Linear, std: float) -> None:
    """Normally distributed weights and no bias, as Faster R-CNN starts its new layers."""
    nn.init.normal_(layer.weight, std=std)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def start_scaled(network: nn.Module) -> None:
    """Keep the signal's size through the ReLU layers of a backbone that no weights are loaded into (He et al.)."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
