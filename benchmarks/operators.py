"""The project's own NMS and RoI pooling on one CPU core, at the sizes that the paper's network asks for."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import torch

from benchmarks.froc import best
from benchmarks.result import Result
from detection.network import torchvision_ops
from detection.network.nms import nms
from detection.network.overlap import iou
from detection.network.roi_align import roi_align
from detection.network.roi_pool import roi_pool

BOXES, PROPOSALS, CHANNELS, CELLS = 6_000, 300, 512, 64


def run() -> Iterator[Result]:
    """Measure in milliseconds, and NMS against going box by box."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            yield from _measured()
    finally:
        torch.set_num_threads(threads)


def _measured() -> Iterator[Result]:
    boxes, scores = _boxes()
    own = _ms(lambda: nms(boxes, scores, 0.7, PROPOSALS), 20)
    plain = _ms(lambda: _box_by_box(boxes, scores, 0.7, PROPOSALS), 3)
    yield Result("NMS, ms", own, f"{BOXES} boxes, stops at {PROPOSALS}", at_most=6.0)
    yield Result("NMS / box by box", own / plain, f"box by box {plain:.1f} ms", at_most=0.3)
    maps = torch.randn(1, CHANNELS, CELLS, CELLS).to(memory_format=torch.channels_last)
    image = torch.zeros(PROPOSALS, dtype=torch.int64)
    some = boxes[:PROPOSALS]
    shape = f"{PROPOSALS} x {CHANNELS} x 7 x 7"
    aligned = _ms(lambda: roi_align(maps, some, image, size=7, scale=1 / 8), 10)
    yield Result("RoIAlign, ms", aligned, shape, at_most=10.0)
    pooled = _ms(lambda: roi_pool(maps, some, image, size=7, scale=1 / 8), 10)
    yield Result("RoI pooling, ms", pooled, shape)
    if torchvision_ops.OPS is not None:
        theirs = _ms(lambda: torchvision_ops.nms(boxes, scores, 0.7, PROPOSALS), 5)
        yield Result("NMS / torchvision", own / theirs, f"torchvision {theirs:.1f} ms", at_most=1.0)
        theirs = _ms(lambda: torchvision_ops.roi_align(maps, some, image, size=7, scale=1 / 8), 5)
        yield Result("RoIAlign / torchvision", aligned / theirs, f"torchvision {theirs:.1f} ms", at_most=1.0)
        theirs = _ms(lambda: torchvision_ops.roi_pool(maps, some, image, size=7, scale=1 / 8), 5)
        yield Result("RoI pooling / torchvision", pooled / theirs, f"torchvision {theirs:.1f} ms", at_most=1.0)


def _ms(work: Callable[[], Any], repeats: int) -> float:
    """Milliseconds of one core, which other programs on the machine do not add to."""
    return 1000 * best(work, repeats, time.process_time)


def _boxes() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    corner = torch.rand(BOXES, 2, generator=generator) * 440
    size = 8 + torch.rand(BOXES, 2, generator=generator) * 60
    return torch.cat([corner, corner + size], dim=1), torch.rand(BOXES, generator=generator)


def _box_by_box(boxes: torch.Tensor, scores: torch.Tensor, threshold: float, limit: int) -> torch.Tensor:
    """Keep the best box, drop what overlaps it, and so on."""
    left = scores.argsort(descending=True)
    kept: list[torch.Tensor] = []
    while len(left) and len(kept) < limit:
        kept.append(left[0])
        left = left[1:][~(iou(boxes[left[:1]], boxes[left[1:]])[0] > threshold)]
    return torch.stack(kept)
