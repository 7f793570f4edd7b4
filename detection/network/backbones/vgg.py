"""VGG-16, the paper's backbone: conv1 to conv5 without pool4 and pool5."""

from collections.abc import Iterator

from torch import Tensor, nn

from detection.network.backbones.base import Backbone

WIDTHS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
POOLED = 3
"""Blocks that a pooling follows; the paper leaves out the last two."""
EARLY = 10
"""Layers of conv1 and conv2 with their poolings."""


class VGG16(Backbone):
    """Stride 8, 512 channels."""

    channels = 512
    origin = 3.5

    def __init__(self, inputs: int = 3) -> None:
        super().__init__(inputs)
        layers: list[nn.Module] = []
        before = inputs
        for block, widths in enumerate(WIDTHS):
            for width in widths:
                layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU(inplace=True)]
                before = width
            # A placeholder keeps the numbers that torchvision's names are made of.
            layers.append(nn.MaxPool2d(2) if block < POOLED else nn.Identity())
        self.features = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        result: Tensor = self.features(images)
        return result

    def early(self) -> Iterator[nn.Module]:
        yield from list(self.features)[:EARLY]
