"""The project's operators against naive references."""

import importlib.util
import math

import pytest
import torch

from detection.network import torchvision_ops
from detection.network.nms import nms
from detection.network.overlap import iou
from detection.network.roi_align import roi_align
from detection.network.roi_pool import roi_pool


def naive_nms(boxes, scores, threshold):
    order = sorted(range(len(scores)), key=lambda number: -float(scores[number]))
    kept = []
    for number in order:
        if not (iou(boxes[number : number + 1], boxes[kept]) > threshold).any():
            kept.append(number)
    return kept


def naive_bilinear(plane, y, x):
    rows, columns = plane.shape
    if y < -1 or y > rows or x < -1 or x > columns:
        return 0.0
    y, x = min(max(y, 0.0), rows - 1), min(max(x, 0.0), columns - 1)
    top, left = min(int(y), max(rows - 2, 0)), min(int(x), max(columns - 2, 0))
    down, right = min(top + 1, rows - 1), min(left + 1, columns - 1)
    dy, dx = y - top, x - left
    upper = plane[top, left] * (1 - dx) + plane[top, right] * dx
    lower = plane[down, left] * (1 - dx) + plane[down, right] * dx
    return float(upper * (1 - dy) + lower * dy)


def naive_align(maps, boxes, image, size, scale):
    result = torch.zeros(len(boxes), maps.shape[1], size, size)
    for number, box in enumerate(boxes.tolist()):
        x1, y1, x2, y2 = (value * scale - 0.5 for value in box)
        for channel, plane in enumerate(maps[int(image[number])]):
            for row in range(size):
                for column in range(size):
                    values = [
                        naive_bilinear(
                            plane,
                            y1 + (row + (a + 0.5) / 2) * (y2 - y1) / size,
                            x1 + (column + (b + 0.5) / 2) * (x2 - x1) / size,
                        )
                        for a in range(2)
                        for b in range(2)
                    ]
                    result[number, channel, row, column] = sum(values) / 4
    return result


def naive_pool(maps, boxes, image, size, scale):
    result = torch.zeros(len(boxes), maps.shape[1], size, size)
    for number, box in enumerate(boxes.tolist()):
        x1, y1, x2, y2 = (math.floor(abs(value * scale) + 0.5) * (1 if value >= 0 else -1) for value in box)
        high, wide = max(y2 - y1 + 1, 1) / size, max(x2 - x1 + 1, 1) / size
        for row in range(size):
            for column in range(size):
                top, bottom = math.floor(row * high) + y1, math.ceil((row + 1) * high) + y1
                left, right = math.floor(column * wide) + x1, math.ceil((column + 1) * wide) + x1
                part = maps[int(image[number]), :, max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
                if part.numel():
                    result[number, :, row, column] = part.amax(dim=(1, 2))
    return result


def random_boxes(count, generator, side=60.0):
    corner = torch.rand(count, 2, generator=generator) * side
    return torch.cat([corner, corner + torch.rand(count, 2, generator=generator) * side / 2], dim=1)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("threshold", [0.3, 0.7])
def test_nms_keeps_what_going_box_by_box_keeps(seed, threshold):
    generator = torch.Generator().manual_seed(seed)
    boxes = random_boxes(600, generator)
    scores = (torch.rand(600, generator=generator) * 50).round()
    assert nms(boxes, scores, threshold).tolist() == naive_nms(boxes, scores, threshold)


def test_nms_stops_when_enough_are_kept():
    generator = torch.Generator().manual_seed(0)
    boxes, scores = random_boxes(2000, generator, 500.0), torch.rand(2000, generator=generator)
    assert nms(boxes, scores, 0.7, 30).tolist() == nms(boxes, scores, 0.7).tolist()[:30]


def test_nms_of_chains_where_each_box_overlaps_the_next():
    start = torch.arange(300.0)[:, None]
    boxes = torch.cat([start, torch.zeros_like(start), start + 4, torch.ones_like(start)], dim=1)
    scores = torch.linspace(1, 0, 300)
    assert nms(boxes, scores, 0.5).tolist() == list(range(0, 300, 2))


def test_nms_of_nothing_of_nan_and_of_boxes_without_area():
    assert nms(torch.zeros(0, 4), torch.zeros(0), 0.5).tolist() == []
    point = [5.0, 5.0, 5.0, 5.0]
    boxes = torch.tensor([point, point, [math.nan, 0, 1, 1], [0, 0, 10, 10], [0, 0, 10, 10]])
    assert nms(boxes, torch.tensor([0.9, 0.8, 1.0, math.nan, 0.1]), 0.5).tolist() == [0, 1, 4]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("pool", "naive"), [(roi_align, naive_align), (roi_pool, naive_pool)])
def test_pooling_equals_the_naive_reference(pool, naive, seed):
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randn(2, 3, 11, 13, generator=generator)
    boxes = random_boxes(12, generator, 100.0) - 10
    boxes[0] = torch.tensor([-200.0, -200.0, -150.0, -150.0])
    boxes[1] = torch.tensor([40.0, 40.0, 40.0, 40.0])
    boxes[2] = torch.tensor([-30.0, -30.0, 300.0, 300.0])
    image = torch.arange(12) % 2
    expected = naive(maps, boxes, image, 7, 1 / 8)
    torch.testing.assert_close(pool(maps, boxes, image, size=7, scale=1 / 8), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("rows_columns", [(1, 1), (1, 9), (5, 1), (7, 8)])
@pytest.mark.parametrize(("pool", "naive"), [(roi_align, naive_align), (roi_pool, naive_pool)])
def test_boxes_at_and_beyond_every_edge_pool_as_the_naive_reference(pool, naive, rows_columns):
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(2, 3, *rows_columns, generator=generator)
    bottom, right = (8.0 * cells for cells in rows_columns)
    edges = [
        [0, 0, 0, 0], [-4, -4, 4, 4], [-9, -9, -5, -5], [right - 4, bottom - 4, right + 9, bottom + 9],
        [right, bottom, right, bottom], [right + 50, 0, right + 60, 9], [0, bottom + 50, 9, bottom + 60],
        [12, 12, 20, 20], [20, 20, 10, 10],
    ]  # fmt: skip
    # One by one: what lies beyond the map is looked up alone, too.
    for box in torch.tensor(edges)[:, None]:
        for image in (torch.tensor([0]), torch.tensor([1])):
            pooled = pool(maps, box, image, size=7, scale=1 / 8)
            torch.testing.assert_close(pooled, naive(maps, box, image, 7, 1 / 8), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("pool", [roi_align, roi_pool])
def test_pooling_has_the_gradient_of_its_values(pool):
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(1, 2, 6, 6, generator=generator, dtype=torch.float64).requires_grad_()
    boxes = torch.tensor([[3.0, 5.0, 30.0, 33.0], [0.0, 0.0, 47.0, 47.0]])
    image = torch.zeros(2, dtype=torch.int64)
    torch.autograd.gradcheck(lambda values: pool(values, boxes, image, size=3, scale=1 / 8), (maps,), atol=1e-4)


@pytest.mark.parametrize("pool", [roi_align, roi_pool])
def test_the_same_values_with_and_without_a_gradient(pool):
    maps = torch.randn(1, 4, 32, 32, generator=torch.Generator().manual_seed(0))
    boxes = random_boxes(50, torch.Generator().manual_seed(1), 200.0)
    image = torch.zeros(50, dtype=torch.int64)
    with torch.no_grad():
        plain = pool(maps, boxes, image, size=7, scale=1 / 8)
    assert torch.equal(pool(maps.requires_grad_(), boxes, image, size=7, scale=1 / 8), plain)


@pytest.mark.parametrize("pool", [roi_align, roi_pool])
def test_no_boxes_and_nan_boxes_pool_to_nothing(pool):
    maps = torch.ones(1, 2, 8, 8)
    assert pool(maps, torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64), size=7, scale=1 / 8).shape == (0, 2, 7, 7)
    spoiled = torch.tensor([[math.nan, 0.0, 30.0, 30.0]])
    assert not pool(maps, spoiled, torch.zeros(1, dtype=torch.int64), size=7, scale=1 / 8).any()


INSTALLED = importlib.util.find_spec("torchvision") is not None
WHY_NOT = (
    "the torchvision here was built for another PyTorch, and does not load" if INSTALLED
    else "torchvision, which the project can do without, is absent"
)  # fmt: skip


@pytest.mark.skipif(torchvision_ops.OPS is None, reason=WHY_NOT)
@pytest.mark.parametrize("count", [0, 500])
def test_torchvision_computes_the_same(count):
    generator = torch.Generator().manual_seed(0)
    boxes, scores = random_boxes(count, generator, 400.0), torch.rand(count, generator=generator)
    boxes[3:5, 1] = math.nan
    assert nms(boxes, scores, 0.5, 100).tolist() == torchvision_ops.nms(boxes, scores, 0.5, 100).tolist()
    maps = torch.randn(1, 8, 64, 64, generator=generator)
    image = torch.zeros(count, dtype=torch.int64)
    aligned = torchvision_ops.roi_align(maps, boxes, image, size=7, scale=1 / 8)
    torch.testing.assert_close(roi_align(maps, boxes, image, size=7, scale=1 / 8), aligned, atol=5e-5, rtol=1e-5)
    pooled = torchvision_ops.roi_pool(maps, boxes, image, size=7, scale=1 / 8)
    torch.testing.assert_close(roi_pool(maps, boxes, image, size=7, scale=1 / 8), pooled)
