"""How good a body-part regressor is where the truth is known: on phantom patients that are drawn for this alone.

Of a hospital's patients nobody knows true heights; a phantom has them, and its vertebrae are landmarks.
`python -m workers.phantom_check MODEL OUT --patients 10` writes what `check` gives as JSON.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from datasets.phantom import plan, render
from datasets.phantom.anatomy import Anatomy
from detection import accepted
from detection.bodypart import measures
from detection.bodypart.errors import BodyPartError
from detection.progress import Teller
from detection.training.settings import replace

SEED = 90_210
"""Of the patients; no hospital and no release is drawn with it."""
SIZE = 128
LANDMARKS = {
    "T1/T2": 546.0,
    "T4/T5": 487.5,
    "T8/T9": 395.5,
    "T12/L1": 284.5,
    "L3/L4": 184.5,
    "L5/S1": 116.0,
    "symphysis": 0.0,
}
"""Discs and symphysis from head to feet, by their height in the body frame (mm)."""
AT_LANDMARK = 2.6
"""Greatest distance (mm) of the slice that stands for a landmark: slices are 5 mm apart."""

Array = NDArray[np.float64]
Slices = Iterator[tuple[int, NDArray[np.int16]]]


class Scores(Protocol):
    """What is asked of a regressor's answer."""

    @property
    def single(self) -> Array:
        """(N,) what each slice says by itself."""

    @property
    def z(self) -> Array:
        """(N,) places; NaN where unknown."""


Score = Callable[[Slices, float | None], Scores]


def main(arguments: list[str] | None = None) -> int:
    """Measure a model; returns the exit status."""
    from detection.bodypart.model import load_model

    parser = argparse.ArgumentParser(prog="python -m workers.phantom_check", description="Measure a regressor.")
    parser.add_argument("model", type=Path, help="model.pt")
    parser.add_argument("out", type=Path, help="file for the figures")
    parser.add_argument("--patients", type=accepted.positive, required=True)
    options = parser.parse_args(arguments)
    tell = partial(Teller(options.out.parent), unit="phantom patients measured")
    try:
        found = check(load_model(options.model).score, patients=options.patients, progress=tell)
    except BodyPartError as error:
        sys.stderr.write(f"{error}.\n")
        return 1
    replace(options.out, json.dumps(found) + "\n")
    return 0


def check(
    score: Score, *, patients: int, seed: int = SEED, progress: Callable[[int, int], None] = lambda done, total: None
) -> dict[str, Any]:
    """Score whole volumes of phantom patients.

    Parameters
    ----------
    score : takes the slices of a series, number and HU, and the slice interval in mm.
    patients, seed : decide who is scored.
    progress : called before every slice with patients done and in all; what it raises ends the check.

    Returns
    -------
    patients, volumes; share of volumes whose single and whose smoothed scores are monotonic (see `measures.monotonic`;
    a volume without a place counts as not monotonic); rank correlation of single scores with true height over all
    slices; landmark error and number of landmarks.
    """
    single: list[Array] = []
    smoothed: list[bool] = []
    heights: list[Array] = []
    positions: list[Array] = []
    for index in range(1, patients + 1):
        patient, anatomy = plan.patient(seed, index, SIZE)
        for study in patient.studies:
            series = study.series[0]
            slices = _slices(patient, anatomy, study, series, partial(progress, index - 1, patients))
            found = score(slices, series.interval)
            mm = np.arange(len(series.planes), dtype=np.float64) * float(series.interval)
            placed = np.isfinite(found.z)
            single.append(found.single)
            smoothed.append(bool(placed.any()) and measures.monotonic(found.z[placed], mm[placed]))
            heights.append(_heights(patient, series))
            positions.append(mm)
    progress(patients, patients)
    landmarks = [_at(height, single, heights) for height in LANDMARKS.values()]
    known = [each for each in landmarks if len(each)]
    return {
        "patients": patients,
        "volumes": len(single),
        "monotonic": measures.monotonic_share(list(zip(single, positions, strict=True))),
        "smoothed_monotonic": float(np.mean(smoothed)),
        "rank_correlation": -measures.correlation(single, heights),
        "landmark_error": measures.landmark_error(known),
        "landmarks": len(known),
    }


def _slices(
    patient: plan.Patient, anatomy: Anatomy, study: plan.Study, series: plan.Series, alive: Callable[[], None]
) -> Slices:
    for step in range(len(series.planes)):
        alive()
        yield step + 1, render.of_series(patient, anatomy, study, series, step)


def _heights(patient: plan.Patient, series: plan.Series) -> Array:
    """Height of each slice's middle in the body frame, mm above the symphysis."""
    middles = [plane.to_patient(np.array([plane.columns - 1, plane.rows - 1]) / 2) for plane in series.planes]
    return np.array([patient.build.frame.to_body(middle)[2] for middle in middles])


def _at(height: float, scores: list[Array], heights: list[Array]) -> Array:
    """Scores of the slices at a height, one per volume that reaches it."""
    found = []
    for values, own in zip(scores, heights, strict=True):
        nearest = int(np.argmin(np.abs(own - height)))
        if abs(own[nearest] - height) <= AT_LANDMARK:
            found.append(values[nearest])
    return np.array(found)


if __name__ == "__main__":
    sys.exit(main())
