"""The boxes that the region proposal network starts from."""

import torch
from torch import Tensor


def anchors(
    rows: int, columns: int, *, stride: float, origin: float, scales: tuple[float, ...], ratios: tuple[float, ...]
) -> Tensor:
    """Every scale and ratio on every cell of a feature map.

    Parameters
    ----------
    stride : pixels between cells.
    origin : pixel at the centre of cell 0, along x and y.
    scales : square roots of areas in pixels; ratios : height over width.

    Returns
    -------
    (rows * columns * A, 4) x1, y1, x2, y2; A = scales x ratios runs fastest.
    """
    scale = torch.tensor(scales, dtype=torch.float32)[:, None]
    root = torch.tensor(ratios, dtype=torch.float32).sqrt()[None, :]
    half = torch.stack([scale / root, scale * root], dim=-1).reshape(-1, 2) / 2
    shapes = torch.cat([-half, half], dim=1)
    y = torch.arange(rows, dtype=torch.float32) * stride + origin
    x = torch.arange(columns, dtype=torch.float32) * stride + origin
    centres = torch.stack([x.expand(rows, -1), y[:, None].expand(-1, columns)], dim=-1).reshape(-1, 1, 2)
    return (torch.cat([centres, centres], dim=2) + shapes).reshape(-1, 4)
