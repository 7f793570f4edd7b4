"""DenseNet-121 up to its third block, without the pooling in front of that."""

from collections import OrderedDict
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from detection.network.backbones.base import Backbone

GROWTH = 32
BLOCKS = (6, 12, 24)


class DenseLayer(nn.Module):
    """Adds GROWTH channels to what it is given."""

    def __init__(self, before: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(before)
        self.conv1 = nn.Conv2d(before, 4 * GROWTH, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * GROWTH)
        self.conv2 = nn.Conv2d(4 * GROWTH, GROWTH, 3, padding=1, bias=False)

    def forward(self, values: Tensor) -> Tensor:
        inner = self.conv1(functional.relu(self.norm1(values)))
        return torch.cat([values, self.conv2(functional.relu(self.norm2(inner)))], dim=1)


class Transition(nn.Module):
    """Halves the channels, and the resolution where it pools."""

    def __init__(self, before: int, *, pool: bool) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(before)
        self.conv = nn.Conv2d(before, before // 2, 1, bias=False)
        self.pool = nn.AvgPool2d(2) if pool else nn.Identity()

    def forward(self, values: Tensor) -> Tensor:
        result: Tensor = self.pool(self.conv(functional.relu(self.norm(values))))
        return result


class DenseNet121(Backbone):
    """Stride 8, 512 channels."""

    channels = 512
    origin = 2.0

    def __init__(self, inputs: int = 3) -> None:
        super().__init__(inputs)
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            conv0=nn.Conv2d(inputs, 64, 7, stride=2, padding=3, bias=False),
            norm0=nn.BatchNorm2d(64),
            relu0=nn.ReLU(inplace=True),
            pool0=nn.MaxPool2d(3, stride=2, padding=1),
        )
        channels = 64
        for number, count in enumerate(BLOCKS, start=1):
            dense = ((f"denselayer{place + 1}", DenseLayer(channels + place * GROWTH)) for place in range(count))
            layers[f"denseblock{number}"] = nn.Sequential(OrderedDict(dense))
            channels += count * GROWTH
            layers[f"transition{number}"] = Transition(channels, pool=number == 1)
            channels //= 2
        self.features = nn.Sequential(layers)

    def forward(self, images: Tensor) -> Tensor:
        result: Tensor = self.features(images)
        return result

    def early(self) -> Iterator[nn.Module]:
        yield from list(self.features)[:6]
