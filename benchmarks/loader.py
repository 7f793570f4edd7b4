"""How many samples per second one core loads from the slice cache, against decoding them every time."""

import csv
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.result import Result
from detection.data.dataset import Slices, batches, loader
from detection.data.release import open_release
from detection.data.table import COLUMNS
from detection.presets import Input

KEYS = 48
SIZE = 512
PER_SECOND = 150.0
"""What one core must give."""


def run() -> Iterator[Result]:
    """Measure batches of eight with three interpolated channels of 512 x 512."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory() as folder:
            write_release(Path(folder))
            release = open_release(Path(folder))
            samples = release.samples("train")
            cached = Slices(release, samples, Input(), cache=Path(folder) / "cache")
            _pass(cached)
            fast = max(_pass(cached) for _ in range(3))
            slow = _pass(Slices(release, samples, Input()))
    finally:
        torch.set_num_threads(threads)
    explanation = f"from cache {fast:.0f} samples/s and core, decoding each time {slow:.0f}"
    # Bounds are from above, so the time per sample is given.
    yield Result("loader, ms per sample", 1000 / fast, explanation, at_most=1000 / PER_SECOND)
    yield Result("loader, cached / decoded", slow / fast, explanation)


def write_release(folder: Path) -> None:
    """Write key slices 5 mm apart from their neighbours, with noise as a scanner's."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIZE, :SIZE]
    body = np.where(np.hypot(x - 256, (y - 256) * 1.4) < 200, 40, -1000)
    place = folder / "Images_png" / "000001_01_01"
    place.mkdir(parents=True)
    for number in range(1, KEYS + 3):
        values = body + rng.normal(0, 12, body.shape) + 32768
        Image.fromarray(values.astype(np.uint16)).save(place / f"{number:03d}.png", compress_level=1)
    with (folder / "DL_info.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        for number in range(2, KEYS + 2):
            table.writerow([
                f"000001_01_01_{number:03d}.png", 1, number, "200, 200, 240, 240", "40, 30", 5, 0, "0.8, 0.8, 5",
                f"{SIZE}, {SIZE}", 1,
            ])  # fmt: skip


def _pass(data: Slices) -> float:
    """Samples per second of one core over one epoch."""
    start = time.process_time()
    for _ in loader(data, batches(len(data), 8, seed=0, epoch=0), workers=0):
        pass
    return len(data) / (time.process_time() - start)
