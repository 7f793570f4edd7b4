"""The network: VGG-like features, their mean over the slice, one number out."""

import torch
from torch import Tensor, nn


class Regressor(nn.Module):
    """One unbounded score per slice, growing towards the feet.

    Parameters
    ----------
    channels : width of each block; every block halves columns and rows.
    depth : 3 x 3 convolutions per block.
    """

    def __init__(self, channels: tuple[int, ...], depth: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = 1
        for block, out in enumerate(channels):
            # The first step halves at once: half the network's work would be spent on the full picture otherwise.
            for step in range(depth if block else 1):
                kernel, stride = (3, 1) if block else (5, 2)
                layers += [
                    nn.Conv2d(width if step == 0 else out, out, kernel, stride, kernel // 2, bias=False),
                    nn.BatchNorm2d(out),
                    nn.ReLU(inplace=True),
                ]
            if block:
                layers.append(nn.MaxPool2d(2))
            width = out
        self.body = nn.Sequential(*layers)
        # Twice as fast on a processor.
        for layer in layers:
            if isinstance(layer, nn.Conv2d):
                layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)
        self.head = nn.Linear(width, 1)

    def features(self, greys: Tensor) -> Tensor:
        """Mean features, (N, channels[-1]), of 8-bit pictures (N, H, W)."""
        x = (greys.to(self.head.weight.dtype).unsqueeze(1) - 96.0) / 80.0
        return torch.as_tensor(self.body(x).mean(dim=(2, 3)))

    def forward(self, greys: Tensor) -> Tensor:
        """Scores, (N,), of 8-bit pictures (N, H, W)."""
        return torch.as_tensor(self.head(self.features(greys)).squeeze(1))
