"""Detection in one whole image on two CPU threads: bfloat16 and channels-last against eager float32.

Eager float32 is the network in PyTorch's own order of a map's values (rows of a channel side by side). Channels-last
in float32 is shown apart. Where the processor multiplies bfloat16 itself it does so at twice the rate of float32, so
that more than twice channels-last float32 is not to be had without fewer operations.
"""

import copy
from collections.abc import Iterator
from functools import partial

import torch

from benchmarks.froc import best
from benchmarks.result import Result
from detection.inference import prepare
from detection.network.cost import flop
from detection.network.detector import Detector
from detection.presets import PAPER

THREADS = 2
REPEATS = 6
AT_LEAST = 2.3
"""Times as fast as eager float32."""


def run() -> Iterator[Result]:
    """Measure the paper's network at 512 x 512 with 300 proposals."""
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        torch.manual_seed(0)
        ordered = Detector(PAPER).eval()
        eager = copy.deepcopy(ordered)
        eager.backbone.register_forward_pre_hook(lambda _, inputs: (inputs[0].contiguous(),))
        fast = prepare(copy.deepcopy(ordered), torch.device("cpu"), fast=True)
        image = torch.randint(-1000, 1000, (1, 3, 512, 512), dtype=torch.int16)
        networks = (eager, ordered, fast)
        with torch.inference_mode():
            for network in networks:
                network(image)
            # In turns, so that whatever else the machine does meets all.
            rounds = [[best(partial(network, image), 1) for network in networks] for _ in range(REPEATS)]
        slow_seconds, ordered_seconds, fast_seconds = map(min, zip(*rounds, strict=True))
    finally:
        torch.set_num_threads(threads)
    explanation = f"bfloat16 {fast_seconds:.2f} s, eager float32 {slow_seconds:.2f} s, {THREADS} threads"
    yield Result("CPU inference / eager", fast_seconds / slow_seconds, explanation, at_most=1 / AT_LEAST)
    yield Result("CPU inference / channels-last", fast_seconds / ordered_seconds, f"float32 {ordered_seconds:.2f} s")
    rate = flop(PAPER) / fast_seconds / 1e9
    yield Result("CPU inference, GFLOP/s", rate, f"in bfloat16; a single convolution alone {_peak():.0f}")


def _peak() -> float:
    """GFLOP per second of the network's middle convolution, on all threads: what can be had at most."""
    layer = torch.nn.Conv2d(256, 256, 3, padding=1).to(torch.bfloat16)
    layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)
    maps = torch.randn(1, 256, 128, 128).to(torch.bfloat16, memory_format=torch.channels_last)
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        with torch.inference_mode():
            layer(maps)
            seconds = best(lambda: layer(maps), REPEATS)
    finally:
        torch.set_num_threads(threads)
    return 2 * 256 * 256 * 9 * 128 * 128 / seconds / 1e9
