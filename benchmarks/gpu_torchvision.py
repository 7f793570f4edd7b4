"""torchvision's Faster R-CNN as the named baseline of `benchmarks.gpu`; everything here is skipped without it."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from detection.data.dataset import Batch
from detection.network.detector import Found

NAME = "torchvision fasterrcnn_resnet50_fpn"
LOW, HIGH = -1024.0, 3071.0


def available() -> bool:
    """Tell whether torchvision and its compiled part load."""
    try:
        from torchvision import ops

        ops.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
    except (ImportError, RuntimeError, OSError, AttributeError, NotImplementedError):
        return False
    return True


def version() -> str | None:
    """What is installed; None where it does not load."""
    if not available():
        return None
    import torchvision

    return str(torchvision.__version__)


def network(device: torch.device, size: int) -> nn.Module:
    """Make it for one class, from random weights, for the same input."""
    from torchvision.models.detection import fasterrcnn_resnet50_fpn

    made = fasterrcnn_resnet50_fpn(
        weights=None, weights_backbone=None, num_classes=2, min_size=size, max_size=size, box_detections_per_img=100
    )
    return made.to(device, memory_format=torch.channels_last)


def images(hu: Tensor) -> list[Tensor]:
    """HU to what it expects: a list of images of 0..1."""
    return list(((hu.float() - LOW) / (HIGH - LOW)).clamp(0, 1))


def detecting(device: torch.device, size: int, batch: int) -> Callable[[], Any]:
    """Detect in noise."""
    made = network(device, size).eval()
    shown = [torch.rand(3, size, size, device=device) for _ in range(batch)]

    def work() -> None:
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16):
            made(shown)

    return work


def training(device: torch.device, size: int, batch: int) -> Callable[[], Any]:
    """Learn one step from noise."""
    made = network(device, size).train()
    optimizer = torch.optim.SGD(made.parameters(), 1e-6)
    shown = [torch.rand(3, size, size, device=device) for _ in range(batch)]
    boxes = [torch.tensor([[16.0, 16.0, 40.0, 40.0]], device=device)] * batch
    return lambda: _learn(made, optimizer, shown, boxes)


def flop(size: int) -> int:
    """Operations for detecting in one image, counted on the processor."""
    return _counted(detecting(torch.device("cpu"), size, 1))


def flop_of_learning(size: int) -> int:
    """Operations for learning from one image, counted on the processor."""
    return _counted(training(torch.device("cpu"), size, 1))


def _counted(work: Callable[[], Any]) -> int:
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def fit(made: nn.Module, stream: Iterator[Batch], seconds: float) -> int:
    """Train for the budget, as torchvision's own recipe does but for its length; returns the steps done."""
    optimizer = torch.optim.SGD(made.parameters(), 0.01, momentum=0.9, weight_decay=1e-4)
    made.train()
    start, step = time.monotonic(), 0
    for step, batch in enumerate(stream, start=1):
        spent = (time.monotonic() - start) / seconds
        if spent >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = 0.01 * min(1.0, step / 50) * (1.0 if spent < 0.75 else 0.1)
        _learn(made, optimizer, images(batch.hu), batch.boxes)
    return step


def _learn(made: nn.Module, optimizer: torch.optim.Optimizer, shown: list[Tensor], boxes: list[Tensor]) -> None:
    device = shown[0].device
    targets = [{"boxes": each, "labels": torch.ones(len(each), dtype=torch.int64, device=device)} for each in boxes]
    with torch.autocast(device.type, torch.bfloat16):
        losses = made(shown, targets)
    optimizer.zero_grad(set_to_none=True)
    sum(losses.values()).backward()
    torch.nn.utils.clip_grad_norm_(made.parameters(), 10.0)
    optimizer.step()


class Wrapped(nn.Module):
    """Looks like `detection.network.detector.Detector` to whoever evaluates it."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner.eval()

    def forward(self, hu: Tensor) -> list[Found]:
        """Detections in slices in HU."""
        with torch.autocast(hu.device.type, torch.bfloat16):
            return [Found(found["boxes"].float(), found["scores"].float()) for found in self.inner(images(hu))]
