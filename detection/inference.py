"""Run a trained detector over a dataset, and what a device needs for it."""

import multiprocessing
import os
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from detection.data.dataset import Slices, loader
from detection.errors import NoDevice
from detection.memory import NETWORK, enough_memory
from detection.network.detector import Detector

BATCH = 8
BATCH_TOO_LARGE = "for this batch; try a smaller --batch"
LOADERS = 4
"""Processes that load for a GPU, at most: what they have ready lies in shared memory."""


def pick_device(accelerator: str, devices: int = 1) -> torch.device:
    """`auto` is the GPU where there is one.

    Raises
    ------
    NoDevice : there is no GPU, or fewer than `devices`.
    """
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if accelerator == "auto":
        accelerator = "cuda" if there else "cpu"
    if accelerator == "cuda" and not there:
        raise NoDevice("PyTorch finds no GPU here; leave --accelerator cuda out to use the processor")
    if accelerator == "cuda" and there < devices:
        raise NoDevice(f"PyTorch finds {there} GPUs here, not {devices}; ask for fewer with --devices")
    return torch.device(accelerator)


def loaders(device: torch.device, devices: int = 1) -> int:
    """How many processes load slices for a device, where nobody says it.

    A GPU waits for slices while one process loads them: its share of the cores but one then loads. On the processor
    the network itself takes all cores, and what loads beside it takes them away. Background services may start none.

    Parameters
    ----------
    devices : that this computer's cores are shared by.
    """
    if device.type == "cpu" or multiprocessing.current_process().daemon:
        return 0
    return max(min(LOADERS, len(os.sched_getaffinity(0)) // devices - 1), 0)


def is_fast_in_bfloat16(device: torch.device) -> bool:
    """Tell whether the device multiplies bfloat16 itself; elsewhere it is slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) is True for name in ("avx512_bf16", "amx_bf16", "bf16"))


def tune(device: torch.device, *, exact: bool = False) -> None:
    """Let a GPU look for its fastest kernels and, unless it is to be `exact`, multiply and convolve float32 in TF32.

    For the whole process. A training is repeated by its seed on a processor alone: on a GPU sums are added up in
    whatever order they are ready, so that nothing is given away there by taking what is fastest.
    """
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
        torch.set_float32_matmul_precision("highest" if exact else "high")
        torch.backends.cudnn.allow_tf32 = not exact


def prepare(network: Detector, device: torch.device, *, fast: bool) -> Detector:
    """Bring a network where it runs, its weights in the order that convolutions like; `fast` in bfloat16; see `tune`.

    Raises
    ------
    OutOfMemory
    """
    tune(device, exact=not fast)
    with enough_memory(NETWORK):
        network = network.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if fast:
            # The window needs all of a HU's digits, so only what comes after it is rounded.
            for part in (network.backbone, network.fuse, network.rpn, network.head):
                if part is not None:
                    part.to(torch.bfloat16)
    return network


@torch.inference_mode()
def detect(
    network: Detector, data: Slices, *, device: torch.device, batch: int = BATCH, workers: int | None = None
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Find lesions in every sample, in order.

    Parameters
    ----------
    workers : loader processes; as `loaders` says unless given.

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
    workers = loaders(device) if workers is None else workers
    for each in loader(data, picks, workers=workers, pin=device.type == "cuda"):
        with enough_memory(BATCH_TOO_LARGE):
            results = network(each.hu.to(device, non_blocking=True))
        for index, frame, found in zip(each.index, each.frames, results, strict=True):
            boxes = frame.to_slice(found.boxes.double().cpu().numpy())
            yield index, np.column_stack([boxes, found.scores.double().cpu().numpy()])
