"""RoIAlign as one weighted sum of rows of a channels-last map."""

import torch
from torch import Tensor
from torch.nn import functional


def roi_align(maps: Tensor, boxes: Tensor, image: Tensor, *, size: int, scale: float, samples: int = 2) -> Tensor:
    """Average bilinear samples of the map in size x size bins of each box.

    Parameters
    ----------
    maps : (B, C, H, W), fastest where it is channels-last.
    boxes : (N, 4) x1, y1, x2, y2 with continuous edges: the first pixel reaches from 0 to 1.
    image : (N,) index of the map.
    scale : map cells per pixel.
    samples : points per bin along each axis.

    Returns
    -------
    (N, C, size, size), channels-last; the same as torchvision.ops.roi_align with aligned=True. NaN boxes give zeros.
    """
    batch, channels, rows, columns = maps.shape
    edges = boxes.float() * scale - 0.5
    fine = ~edges.isnan().any(dim=1)
    edges = edges.nan_to_num(0.0)
    at_y, weight_y = _axis(edges[:, 1], edges[:, 3], rows, size, samples)
    at_x, weight_x = _axis(edges[:, 0], edges[:, 2], columns, size, samples)
    weight_y = weight_y * (fine / samples**2)[:, None, None]
    index = at_y[:, :, None, :, None] * columns + at_x[:, None, :, None, :]
    index += (image * rows * columns).to(index.dtype)[:, None, None, None, None]
    weight = weight_y[:, :, None, :, None] * weight_x[:, None, :, None, :]
    per_bin = (2 * samples) ** 2
    pooled = functional.embedding_bag(
        index.reshape(-1, per_bin),
        maps.permute(0, 2, 3, 1).reshape(batch * rows * columns, channels),
        mode="sum",
        per_sample_weights=weight.reshape(-1, per_bin).to(maps.dtype),
    )
    return pooled.reshape(len(boxes), size, size, channels).permute(0, 3, 1, 2)


def _axis(low: Tensor, high: Tensor, cells: int, size: int, samples: int) -> tuple[Tensor, Tensor]:
    """Cells that the samples of each bin fall between, along one axis, and their weights: (N, size, 2 * samples)."""
    step = (torch.arange(size * samples, dtype=torch.float32, device=low.device) + 0.5) / (size * samples)
    at = low[:, None] + (high - low)[:, None] * step
    inside = (at >= -1) & (at <= cells)
    at = at.clamp(0, cells - 1)
    first = at.floor().clamp(max=max(cells - 2, 0))
    share = at - first
    weights = torch.stack([1 - share, share], dim=-1) * inside[..., None]
    start = first.to(torch.int32)
    both = torch.stack([start, (start + 1).clamp(max=cells - 1)], dim=-1)
    shape = (len(low), size, 2 * samples)
    return both.reshape(shape), weights.reshape(shape)
