"""The small preset on phantom patients: order and places on patients, and none on parts, that it has not seen."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from datasets.phantom import plan, render
from datasets.phantom.plane import axial
from datasets.phantom.release import write_release
from datasets.phantom.seeds import rng
from detection.bodypart import measures
from detection.bodypart.series import Finding
from detection.bodypart.settings import PRESETS
from detection.bodypart.slices import volumes
from detection.bodypart.training import train
from detection.data.slices import read_hu
from workers import phantom_check

INTERVAL = 5.0
NEVER_SCANNED = {"thighs": (-60, -165), "neck": (655, 580)}
"""Parts that the phantom draws and no patient of it was scanned at; it has no head."""


@pytest.mark.slow
def test_unseen_patients_are_put_in_order_and_unseen_parts_get_no_place(
    tmp_path: Path, record_property, monkeypatch
) -> None:
    """With few patients, coarse slices and less than a fifth of the small preset's steps.

    Single scores of short series are noisy then; `benchmarks.bodypart_accuracy` measures the whole preset.
    """
    for name, patients, seed in (("train", 10, 23), ("held", 4, 22)):
        write_release(tmp_path / name, patients=patients, seed=seed, size=64, context_mm=150)
    model = train(
        tmp_path / "train",
        tmp_path / "run",
        preset=dataclasses.replace(PRESETS["small"], steps=120),
        threads=1,
        device="cpu",
    )
    series = [each for each in volumes(tmp_path / "held") if np.ptp(each.millimetres()) > 100]
    monkeypatch.setattr(phantom_check, "SIZE", 64)
    measured = phantom_check.check(model.score, patients=3)
    scores = [model.score([(n, read_hu(each.path(n))) for n in each.numbers], each.interval) for each in series]
    assert model.anchor.method == "locations"
    within = [measures.rank_correlation(each.raw, each.numbers.astype(float)) for each in scores]
    found = [
        (mark.z, each.at(mark.slice)) for volume, each in zip(series, scores, strict=True) for mark in volume.marks
    ]
    off = [abs(z - place) for z, place in found if z is not None and place is not None]
    record_property("rank correlation within volumes, error of z", f"{np.median(within):.3f}, {np.median(off):.3f}")
    print(f"rank correlation {np.median(within):.3f}, median error of z {np.median(off):.3f} over {len(off)} lesions")
    print(measured)
    assert np.median(within) > 0.7
    assert measured["rank_correlation"] > 0.88
    assert measured["landmark_error"] < 0.03
    assert measured["landmarks"] == len(phantom_check.LANDMARKS)
    assert all(each.finding in (Finding.FINE, Finding.UNFAMILIAR, Finding.UNCLEAR) for each in scores)
    assert np.median(off) < 0.05
    for name, (high, low) in NEVER_SCANNED.items():
        for patient in (1, 2, 3):
            found = model.score(_between(high, low, patient), INTERVAL)
            assert found.finding is Finding.UNFAMILIAR, name
            assert np.isnan(found.z).all(), name
    chest = model.score(_between(540, 330, 1), INTERVAL)
    assert chest.finding is Finding.FINE, "the same way of drawing, of a part that was seen"


def _between(high: float, low: float, index: int) -> Iterator[tuple[int, NDArray[np.int16]]]:
    """Slices of a patient between two heights in the body frame (mm above the symphysis), from head to feet."""
    patient, anatomy = plan.patient(phantom_check.SEED, index, 64)
    study = patient.studies[0]
    series = study.series[0]
    top, bottom = (patient.build.frame.to_patient((0, 0, height))[2] for height in (high, low))
    x, y, _ = series.planes[0].to_patient((np.array([63, 63])) / 2)
    for step in range(int((top - bottom) / INTERVAL) + 1):
        plane = axial((x, y, top - INTERVAL * step), series.planes[0].spacing, 64, INTERVAL)
        yield (
            step + 1,
            render.slice_hu(
                anatomy,
                plane,
                phase=study.phase,
                kernel=series.kernel,
                lesions=(),
                dose=1.0,
                random=rng(patient.seed, "never scanned", step),
            ),
        )
