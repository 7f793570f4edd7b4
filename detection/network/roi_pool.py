"""RoI pooling: the largest value in each bin of each box.

Any stretch of cells is covered by two stretches whose length is a power of two, so the maxima of such windows are
computed once for the whole map, and a bin is the largest of four rows: exact, and fewer rows than the bin has.
"""

import torch
from torch import Tensor

CHUNK = 512
"""Bins gathered at a time on a CPU: they stay in its cache."""


def roi_pool(maps: Tensor, boxes: Tensor, image: Tensor, *, size: int, scale: float) -> Tensor:
    """Take the maximum in size x size bins of each box.

    Parameters
    ----------
    maps : (B, C, H, W).
    boxes : (N, 4) x1, y1, x2, y2 in pixels; their ends are rounded to cells and belong to the box.
    image : (N,) index of the map.
    scale : map cells per pixel.

    Returns
    -------
    (N, C, size, size), channels-last; as torchvision.ops.roi_pool. Bins outside the map, and NaN boxes, give 0.
    """
    batch, channels, rows, columns = maps.shape
    fine = ~boxes.isnan().any(dim=1)
    ends = (boxes.float().nan_to_num(0.0) * scale).clamp(-1e6, 1e6)
    # Halves away from zero, as C's round() does and torch.round() does not.
    ends = (ends.sign() * (ends.abs() + 0.5).floor()).to(torch.int64)
    low_y, high_y = _bins(ends[:, 1], ends[:, 3], rows, size)
    low_x, high_x = _bins(ends[:, 0], ends[:, 2], columns, size)
    level_y, level_x = _level(high_y - low_y), _level(high_x - low_x)
    top = int(max(level_y.max(), level_x.max())) if len(boxes) else 0
    table = _windows(maps.permute(0, 2, 3, 1), top)
    flat = table.reshape(-1, channels)
    plane = rows * columns
    base = (level_y[:, :, None] * (top + 1) + level_x[:, None, :]) * batch + image[:, None, None]
    # A bin beyond the map is empty; its first cell has to be one all the same.
    y = torch.stack([low_y.clamp(max=rows - 1), (high_y - (1 << level_y)).clamp(min=0)], dim=-1)
    x = torch.stack([low_x.clamp(max=columns - 1), (high_x - (1 << level_x)).clamp(min=0)], dim=-1)
    index = base[..., None, None] * plane + y[:, :, None, :, None] * columns + x[:, None, :, None, :]
    pooled = _largest_of(flat, index.reshape(-1, 4).unbind(1))
    filled = (high_y > low_y)[:, :, None] & (high_x > low_x)[:, None, :] & fine[:, None, None]
    pooled = pooled.where(filled.reshape(-1, 1), pooled.new_zeros(()))
    return pooled.reshape(len(boxes), size, size, channels).permute(0, 3, 1, 2)


def _bins(low: Tensor, high: Tensor, cells: int, size: int) -> tuple[Tensor, Tensor]:
    """First cell and the one after the last of each bin along one axis, within the map: (N, size) each."""
    step = (high - low + 1).clamp(min=1).float()[:, None] / size
    number = torch.arange(size, device=low.device, dtype=torch.float32)
    first = (number * step).floor().to(torch.int64) + low[:, None]
    after = ((number + 1) * step).ceil().to(torch.int64) + low[:, None]
    return first.clamp(0, cells), after.clamp(0, cells)


def _level(length: Tensor) -> Tensor:
    """Exponent of the largest power of two that is not longer."""
    return (length.clamp(min=1).float().log2() + 1e-6).floor().to(torch.int64)


def _windows(channels_last: Tensor, top: int) -> Tensor:
    """Maxima of windows of 2^a rows and 2^b columns from each cell on: (a, b, B, H, W, C)."""
    if torch.is_grad_enabled() and channels_last.requires_grad:
        tall = [channels_last]
        for level in range(top):
            tall.append(_larger(tall[-1], 1 << level, dim=1))
        wide = [tall]
        for level in range(top):
            wide.append([_larger(values, 1 << level, dim=2) for values in wide[-1]])
        return torch.stack([torch.stack(column) for column in zip(*wide, strict=True)])
    table = channels_last.new_empty((top + 1, top + 1, *channels_last.shape))
    table[0, 0] = channels_last
    for level in range(top):
        _larger_into(table[level, 0], 1 << level, 1, table[level + 1, 0])
    for start in table:
        for level in range(top):
            _larger_into(start[level], 1 << level, 2, start[level + 1])
    return table


def _larger(values: Tensor, step: int, dim: int) -> Tensor:
    """The larger of each value and the one `step` further; near the end, where there is none, the value itself."""
    rest = max(values.shape[dim] - step, 0)
    body = torch.maximum(values.narrow(dim, 0, rest), values.narrow(dim, values.shape[dim] - rest, rest))
    return torch.cat([body, values.narrow(dim, rest, values.shape[dim] - rest)], dim=dim)


def _larger_into(values: Tensor, step: int, dim: int, out: Tensor) -> None:
    """`_larger` without a copy in between."""
    length = values.shape[dim]
    rest = max(length - step, 0)
    body = values.narrow(dim, 0, rest), values.narrow(dim, length - rest, rest)
    torch.maximum(*body, out=out.narrow(dim, 0, rest))
    out.narrow(dim, rest, length - rest).copy_(values.narrow(dim, rest, length - rest))


def _largest_of(flat: Tensor, rows: tuple[Tensor, ...]) -> Tensor:
    """Elementwise maximum of the rows that each of four indices names: (R, C), (K,) x 4 -> (K, C)."""
    first, *others = rows
    if flat.device.type != "cpu" or (torch.is_grad_enabled() and flat.requires_grad):
        largest = flat.index_select(0, first)
        for other in others:
            largest = torch.maximum(largest, flat.index_select(0, other))
        return largest
    pooled = flat.new_empty((len(first), flat.shape[1]))
    for start in range(0, len(first), CHUNK):
        part = pooled[start : start + CHUNK]
        torch.index_select(flat, 0, first[start : start + CHUNK], out=part)
        for other in others:
            torch.maximum(part, flat.index_select(0, other[start : start + CHUNK]), out=part)
    return pooled
