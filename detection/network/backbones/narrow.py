"""A narrow network that a CPU trains within minutes; it starts from random weights and so is normalised.

It sees its surroundings at strides of 8 and 16, where that is cheap, and adds them to the finer map at 4.
"""

from collections.abc import Iterator

from torch import Tensor, nn
from torch.nn import functional

from detection.network.backbones.base import Backbone

WIDTHS = 16, 32, 48, 64


class Narrow(Backbone):
    """Stride 4, 64 channels."""

    channels = WIDTHS[-1]
    stride = 4
    origin = 0.0

    def __init__(self, inputs: int = 3) -> None:
        super().__init__(inputs)
        stem, low, middle, high = WIDTHS
        self.fine = nn.Sequential(_layer(inputs, stem, stride=2), _layer(stem, low, stride=2), _layer(low, middle))
        self.coarse = nn.Sequential(_layer(middle, high, stride=2), _layer(high, high), _layer(high, high))
        self.coarsest = nn.Sequential(_layer(high, high, stride=2), _layer(high, high), _layer(high, high))
        self.lateral = nn.Conv2d(middle, high, 1)

    def forward(self, images: Tensor) -> Tensor:
        fine = self.fine(images)
        coarse = self.coarse(fine)
        coarse = coarse + functional.interpolate(self.coarsest(coarse), size=coarse.shape[2:])
        lateral: Tensor = self.lateral(fine)
        return functional.relu(lateral + functional.interpolate(coarse, size=fine.shape[2:]))

    def early(self) -> Iterator[nn.Module]:
        """Nothing: there are no pretrained weights for it."""
        yield from ()


def _layer(before: int, width: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, width, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    )
