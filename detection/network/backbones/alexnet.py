"""AlexNet (torchvision's, one tower) without its last two poolings."""

from collections.abc import Iterator

from torch import Tensor, nn

from detection.network.backbones.base import Backbone


class AlexNet(Backbone):
    """Stride 8, 256 channels. The first pooling pads so that the map has a whole number of cells."""

    channels = 256
    origin = 3.0

    def __init__(self, inputs: int = 3) -> None:
        super().__init__(inputs)
        self.features = nn.Sequential(
            nn.Conv2d(inputs, 64, 11, stride=4, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1, ceil_mode=True),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(inplace=True),
            nn.Identity(),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(inplace=True),
        )

    def forward(self, images: Tensor) -> Tensor:
        result: Tensor = self.features(images)
        return result

    def early(self) -> Iterator[nn.Module]:
        yield from list(self.features)[:5]
