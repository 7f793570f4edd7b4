"""What the detector asks of a backbone."""

from collections.abc import Iterator

from torch import Tensor, nn


class Backbone(nn.Module):
    """Turns (B, inputs, H, W) into a feature map (B, channels, H / stride, W / stride)."""

    channels: int
    """Of the map."""
    stride: int = 8
    origin: float
    """Pixel at the centre of what cell 0 sees, along x and y."""

    def __init__(self, inputs: int = 3) -> None:
        """Make it for so many channels of its input; pretrained weights want three."""
        super().__init__()

    def forward(self, images: Tensor) -> Tensor:
        raise NotImplementedError

    def early(self) -> Iterator[nn.Module]:
        """Layers that stay as they were pretrained (the paper's Conv1 and Conv2, or what corresponds)."""
        raise NotImplementedError
