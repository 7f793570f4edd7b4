"""What the `tiny` preset reaches on a phantom's test split, over several seeds, and how long it trains.

`python -m benchmarks.tiny`: apart from `make bench`, as it takes a quarter of an hour on two cores. Each seed decodes
its own slices, so that the time is that of a first training.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from datasets.phantom.release import write_release
from detection.evaluate import evaluate
from detection.presets import TINY
from detection.train import start
from detection.training.loop import Machine

CORES = 2
CONTEXT_MM = 3.0
"""Three channels 2 mm apart need no more."""


def main(arguments: list[str] | None = None) -> None:
    """Train and evaluate once per seed; print a JSON line each, and their mean and standard deviation."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tiny", description=__doc__)
    parser.add_argument("--release", type=Path, help="use this release instead of writing a phantom")
    parser.add_argument("--patients", type=int, default=300, help="of the phantom (300)")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args(arguments)
    torch.set_num_threads(CORES)
    with tempfile.TemporaryDirectory() as folder:
        release = options.release
        if release is None:
            release = Path(folder) / "release"
            write_release(release, patients=options.patients, seed=1, context_mm=CONTEXT_MM, processes=CORES)
        lines = []
        for seed in range(options.seeds):
            lines.append(_run(release, Path(folder) / str(seed), seed))
            print(json.dumps(lines[-1]), flush=True)
    print(json.dumps({name: _spread([line[name] for line in lines]) for name in lines[0] if name != "seed"}))


def _run(release: Path, out: Path, seed: int) -> dict[str, Any]:
    began, used = time.monotonic(), time.process_time()
    start(release, out, TINY, Machine("cpu"), weights="random", seed=seed)
    seconds, processor = time.monotonic() - began, time.process_time() - used
    content = evaluate(out, release, accelerator="cpu", repeats=0, count=0)
    return {
        "seed": seed,
        "sensitivity at 4": content["sensitivity"]["4"],
        "average sensitivity": content["average_sensitivity"],
        "seconds": round(seconds, 1),
        "processor seconds": round(processor, 1),
    }


def _spread(values: list[float]) -> dict[str, float]:
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return {"mean": round(statistics.mean(values), 4), "sd": round(deviation, 4)}


if __name__ == "__main__":
    main()
