"""The small preset on phantom patients: order on patients that it has not seen, x and y and z of the right size."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from datasets.phantom.release import write_release
from detection.bodypart import measures
from detection.bodypart.series import Finding
from detection.bodypart.settings import PRESETS
from detection.bodypart.slices import volumes
from detection.bodypart.training import train
from detection.data.slices import read_hu
from workers import phantom_check


@pytest.mark.slow
def test_unseen_patients_are_put_in_order(tmp_path: Path, record_property, monkeypatch) -> None:
    """With few patients, coarse slices and less than a fifth of the small preset's steps.

    Single scores of short series are noisy then; `benchmarks.bodypart_accuracy` measures the whole preset.
    """
    for name, patients, seed in (("train", 10, 23), ("held", 4, 22)):
        write_release(tmp_path / name, patients=patients, seed=seed, size=64, context_mm=150)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
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
    finally:
        torch.set_num_threads(threads)
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
