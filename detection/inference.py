"""Run a trained detector over a dataset."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from detection.data.dataset import Slices, loader
from detection.memory import enough_memory
from detection.network.detector import Detector

BATCH = 8


def pick_device(accelerator: str) -> torch.device:
    """`auto` is the GPU where there is one."""
    if accelerator == "auto":
        accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(accelerator)


def is_fast_in_bfloat16(device: torch.device) -> bool:
    """Tell whether the device multiplies bfloat16 itself; elsewhere it is slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) is True for name in ("avx512_bf16", "amx_bf16", "bf16"))


def prepare(network: Detector, device: torch.device, *, fast: bool) -> Detector:
    """Bring a network where it runs, its weights in the order that convolutions like; `fast` in bfloat16."""
    network = network.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if fast:
        # The window needs all of a HU's digits, so only what comes after it is rounded.
        for part in (network.backbone, network.fuse, network.rpn, network.head):
            if part is not None:
                part.to(torch.bfloat16)
    return network


@torch.inference_mode()
def detect(
    network: Detector, data: Slices, *, device: torch.device, batch: int = BATCH, workers: int = 0
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Find lesions in every sample, in order.

    Returns
    -------
    Index of the sample and (K, 5) x1, y1, x2, y2 in pixels of the slice (0-based, pixel centres at integers), score.

    Raises
    ------
    OutOfMemory, MissingSlice, CorruptSlice
    """
    picks = [
        [(index, 0) for index in range(start, min(start + batch, len(data)))] for start in range(0, len(data), batch)
    ]
    for each in loader(data, picks, workers=workers, pin=device.type == "cuda"):
        with enough_memory():
            results = network(each.hu.to(device, non_blocking=True))
        for index, found in zip(each.index, results, strict=True):
            boxes = data.frame(index).to_slice(found.boxes.double().cpu().numpy())
            yield index, np.column_stack([boxes, found.scores.double().cpu().numpy()])
