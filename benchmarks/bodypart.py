"""How fast the body-part regressor scores slices that are decoded already, on one core."""

import time
from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image

from benchmarks.result import Result
from detection.bodypart.anchor import Anchor
from detection.bodypart.familiar import learn
from detection.bodypart.model import Model
from detection.bodypart.network import Regressor
from detection.bodypart.settings import PRESETS, Preset

CACHED = 128
SLICES = 256
ROUNDS = 3
AT_LEAST = 150.0


def run() -> Iterator[Result]:
    """Yield name, slices per second, explanation, and the least that will do."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for name, preset in PRESETS.items():
            what = "slices of 128 x 128 per second and core"
            yield Result(f"body-part regressor, {name} preset", _rate(preset), what, at_least=AT_LEAST)
    finally:
        torch.set_num_threads(threads)


def _rate(preset: Preset) -> float:
    torch.manual_seed(0)
    greys = np.random.default_rng(0).integers(0, 256, (SLICES, CACHED, CACHED), dtype=np.uint8)
    network = Regressor(preset.channels, preset.depth).eval()
    features = torch.randn(SLICES, preset.channels[-1])
    model = Model(network, preset, Anchor(1.0, 0.0, "median", 0), learn(features, features), (0.0, 1.0), {})
    best = float("inf")
    for _ in range(ROUNDS):
        begin = time.process_time()
        model.score_pictures(_shrunk(each, preset.size) for each in greys)
        best = min(best, time.process_time() - begin)
    return SLICES / best


def _shrunk(grey: np.ndarray, size: int) -> np.ndarray:
    if size == CACHED:
        return grey
    return np.asarray(Image.fromarray(grey).resize((size, size), Image.Resampling.BOX))
