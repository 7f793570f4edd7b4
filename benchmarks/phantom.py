"""How many slices of 512x512 the phantom renders per second and core, noise included."""

import time
from collections.abc import Iterator

from benchmarks.result import Result
from datasets.phantom import plan, render

SLICES = 48
ROUNDS = 3
AT_LEAST = 15.0


def run() -> Iterator[Result]:
    """Render slices from thorax to pelvis of one patient and take the best of several rounds of processor time."""
    patient, anatomy = plan.patient(1, 3)
    study = patient.studies[0]
    series = study.series[0]
    steps = [number * len(series.planes) // SLICES for number in range(SLICES)]
    best = float("inf")
    for _ in range(ROUNDS):
        begin = time.process_time()
        for step in steps:
            render.of_series(patient, anatomy, study, series, step)
        best = min(best, time.process_time() - begin)
    plane = series.planes[0]
    what = f"slices of {plane.columns}x{plane.rows} per second and core, {study.region.lower()}"
    yield Result("phantom: rendering", SLICES / best, what, at_least=AT_LEAST)
