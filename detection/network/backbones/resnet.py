"""ResNet-50 up to its third stage, which keeps stride 8 and is dilated instead."""

from collections.abc import Iterator

from torch import Tensor, nn

from detection.network.backbones.base import Backbone


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 with a shortcut."""

    def __init__(self, before: int, width: int, stride: int, dilation: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=dilation, dilation=dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride > 1 or before != 4 * width:
            self.downsample = nn.Sequential(
                nn.Conv2d(before, 4 * width, 1, stride=stride, bias=False), nn.BatchNorm2d(4 * width)
            )

    def forward(self, values: Tensor) -> Tensor:
        inner = self.relu(self.bn1(self.conv1(values)))
        inner = self.bn3(self.conv3(self.relu(self.bn2(self.conv2(inner)))))
        shortcut = values if self.downsample is None else self.downsample(values)
        result: Tensor = self.relu(inner + shortcut)
        return result


class ResNet50(Backbone):
    """Stride 8, 1024 channels."""

    channels = 1024
    origin = 0.0

    def __init__(self, inputs: int = 3) -> None:
        super().__init__(inputs)
        self.conv1 = nn.Conv2d(inputs, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _stage(64, 64, 3, stride=1, dilation=1)
        self.layer2 = _stage(256, 128, 4, stride=2, dilation=1)
        self.layer3 = _stage(512, 256, 6, stride=1, dilation=2)

    def forward(self, images: Tensor) -> Tensor:
        values = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        result: Tensor = self.layer3(self.layer2(self.layer1(values)))
        return result

    def early(self) -> Iterator[nn.Module]:
        yield from (self.conv1, self.bn1, self.layer1)


def _stage(before: int, width: int, blocks: int, *, stride: int, dilation: int) -> nn.Sequential:
    # As in torchvision, the first block of a stage that is dilated instead of strided keeps the former dilation.
    first = Bottleneck(before, width, stride, 1)
    return nn.Sequential(first, *(Bottleneck(4 * width, width, 1, dilation) for _ in range(blocks - 1)))
