"""How well the small preset orders phantom patients that it has not seen: `python -m benchmarks.bodypart_accuracy`.

Apart from `make bench`, for it trains three times and checks each model on three sets of patients: half an hour on one
idle core.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks.result import Result
from datasets.phantom.release import write_release
from detection.bodypart.settings import PRESETS
from detection.bodypart.training import train
from workers.phantom_check import SEED, SIZE, check

LEARN, HELD_OUT = 100, 20
"""Phantom patients to learn from (their release has a test split as well, which takes no part), and of a set to check
with."""
LEARN_SEED = 11
SETS = (SEED, 777, 4242)
"""Seeds of the sets of unseen patients: what one set says of fat, thin and small people may be luck."""
WHOLE_MM = 2000.0


def run(seeds: int) -> Iterator[Result]:
    """Yield the figures of each training, which runs on one processor thread."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        release = Path(folder) / "release"
        write_release(release, patients=LEARN, seed=LEARN_SEED, size=SIZE, context_mm=WHOLE_MM)
        for seed in range(seeds):
            begin = time.process_time()
            out = Path(folder) / f"run-{seed}"
            model = train(release, out, preset=PRESETS["small"], seed=seed, device="cpu", threads=1)
            seconds = time.process_time() - begin
            yield Result("training", seconds, f"s of processor time, one thread, seed {seed}", at_most=180.0)
            sets = []
            for place, patients in enumerate(SETS, start=1):
                sets.append(check(model.score, patients=HELD_OUT, seed=patients))
                yield from _figures(sets[-1], f"seed {seed}, set {place}")
            yield from _promises(sets, seed)


def _figures(found: dict[str, Any], where: str) -> Iterator[Result]:
    volumes = f"of {found['volumes']} volumes of {found['patients']} patients, {where}"
    yield Result("monotonic, single", found["monotonic"], volumes)
    yield Result("monotonic, smoothed", found["smoothed_monotonic"], volumes)
    yield Result("rank correlation", found["rank_correlation"], f"with true height, {where}", at_least=0.98)
    yield Result("landmark error", found["landmark_error"], f"LMSE, {found['landmarks']} landmarks, {where}")


def _promises(sets: list[dict[str, Any]], seed: int) -> Iterator[Result]:
    volumes = sum(found["volumes"] for found in sets)
    ordered = sum(found["smoothed_monotonic"] * found["volumes"] for found in sets)
    what = f"{ordered:.0f} of all {volumes} held-out volumes, seed {seed}"
    yield Result("monotonic, smoothed", ordered / volumes, what, at_least=0.95)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bodypart_accuracy", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="trainings (default 3)")
    kept = True
    for result in run(parser.parse_args().seeds):
        kept &= result.kept
        mark = "" if result.kept else "  NOT KEPT"
        print(f"{result.name:<22} {result.value:>9.4g}  {result.promise:<14} {result.what}{mark}", flush=True)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
