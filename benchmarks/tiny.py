"""What the `tiny` preset reaches on a phantom's test split, over several seeds, and how long it trains.

`python -m benchmarks.tiny`: apart from `make bench`, as it takes a quarter of an hour on two cores. Each seed decodes
its own slices, so that the time is that of a first training. What bfloat16, which is taken where the processor is fast
in it, costs in average sensitivity is told with its 95% band over patients. What came of it is kept in
benchmarks/results/tiny.json, with date and machine.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks import machine
from datasets.phantom.release import write_release
from detection import accepted
from detection.data.release import Release, open_release
from detection.data.table import SPLITS, select
from detection.evaluate import evaluate
from detection.evaluating import DETECTIONS, Means
from detection.evaluation import bootstrap
from detection.evaluation.curve import AVERAGED
from detection.evaluation.matching import match
from detection.evaluation.tables import read_detections, truth_of
from detection.presets import TINY
from detection.train import start
from detection.training.loop import Machine
from detection.training.settings import replace

OUT = Path(__file__).with_name("results") / "tiny.json"
CORES = 2
PRECISE = "float32"
CONTEXT_MM = 3.0
"""Three channels 2 mm apart need no more."""


def main(arguments: list[str] | None = None) -> None:
    """Train and evaluate once per seed; print a JSON line each, keep all with mean and standard deviation."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tiny", description=__doc__)
    parser.add_argument("--release", type=Path, help="use this release instead of writing a phantom")
    parser.add_argument("--patients", type=accepted.positive, default=300, help="of the phantom (300)")
    parser.add_argument("--seeds", type=accepted.positive, default=3, help="how many seeds, from 0 on (3)")
    parser.add_argument("--out", type=Path, default=OUT, help=f"file of the result ({OUT.parent.name}/{OUT.name})")
    options = parser.parse_args(arguments)
    torch.set_num_threads(CORES)
    measured_on = machine.describe()
    with tempfile.TemporaryDirectory() as folder:
        release = options.release
        if release is None:
            release = Path(folder) / "release"
            write_release(release, patients=options.patients, seed=1, context_mm=CONTEXT_MM, processes=CORES)
        lines = []
        for seed in range(options.seeds):
            lines.append(_run(release, Path(folder) / str(seed), seed))
            print(json.dumps(lines[-1]), flush=True)
        opened = open_release(release)
    content = {
        "machine": measured_on,
        "preset": TINY.name,
        "steps": TINY.training.steps,
        "release": {"name": opened.name, "sha256": opened.sha256, "patients": _patients(opened)},
        "seeds": lines,
        "all": {name: _spread([line[name] for line in lines]) for name in lines[0] if name != "seed"},
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    replace(options.out, json.dumps(content, indent=1) + "\n")
    print(json.dumps(content["all"]))


def _patients(release: Release) -> dict[str, int]:
    """How many each split has."""
    return {split: len({sample.patient for sample in release.samples(split)}) for split in SPLITS}


def _run(release: Path, out: Path, seed: int) -> dict[str, Any]:
    began, used = time.monotonic(), time.process_time()
    start(release, out, TINY, Machine("cpu"), weights="random", seed=seed)
    seconds, processor = time.monotonic() - began, time.process_time() - used
    content = evaluate(out, release, how=Means("cpu"), repeats=0, count=0)
    evaluate(out, release, how=Means("cpu", precise=True), repeats=0, count=0, out=out / PRECISE)
    return {
        "seed": seed,
        **{f"sensitivity at {point:g}": content["sensitivity"][f"{point:g}"] for point in AVERAGED},
        "average sensitivity": content["average_sensitivity"],
        **_cost_of_rounding(release, out / "evaluation-test", out / PRECISE),
        "seconds": round(seconds, 1),
        "processor seconds": round(processor, 1),
    }


def _cost_of_rounding(release: Path, fast: Path, precise: Path) -> dict[str, float]:
    """Average sensitivity as it is detected by default less that in float32; nought where the default is float32."""
    truth = truth_of(select(open_release(release).lesions, "test"))
    found = [read_detections(folder / DETECTIONS, truth) for folder in (precise, fast)]
    first, second = ((each, match(truth, each, 0.5, "deeplesion")) for each in found)
    apart = bootstrap.paired_difference(truth, first, second)
    return {f"less that in float32, {name}": round(apart[name], 6) for name in ("difference", "low", "high")}


def _spread(values: list[float]) -> dict[str, float]:
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return {"mean": round(statistics.mean(values), 4), "sd": round(deviation, 4)}


if __name__ == "__main__":
    main()
