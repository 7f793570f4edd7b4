"""Command line: `python -m detection.evaluate_volumes RUN RELEASE --truth fully_annotated_val.json`.

Detects in every slice of fully annotated sub-volumes, joins the detections along z and scores them in 3-D; and tells
how many false positives against the marked lesions alone are lesions that nobody marked.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from detection import accepted
from detection.data import slices
from detection.data.dataset import Slices
from detection.data.release import Release, Sample, open_release
from detection.data.table import select
from detection.disk import writing
from detection.errors import INTERRUPTED, DetectorError, EmptySplit
from detection.evaluate import facts_of
from detection.evaluation import unannotated, volumes
from detection.evaluation.matching import match
from detection.evaluation.tables import read_detections, truth_of, write_detections
from detection.inference import BATCH, detect, is_fast_in_bfloat16, pick_device, prepare
from detection.training import checkpoint
from detection.training.settings import replace


def main(arguments: list[str] | None = None) -> int:
    """Evaluate a run on sub-volumes; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m detection.evaluate_volumes", description=__doc__)
    parser.add_argument("run", type=Path, help="folder that detection.train wrote")
    parser.add_argument("release", type=Path, help="release folder, or the published DeepLesion")
    parser.add_argument("--truth", type=Path, required=True, help="JSON of every lesion's box in 3-D")
    parser.add_argument("--out", type=Path, help="folder for the results (RUN/evaluation-volumes)")
    parser.add_argument("--accelerator", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--batch", type=accepted.positive, default=BATCH)
    options = parser.parse_args(arguments)
    out = options.out or options.run / "evaluation-volumes"
    try:
        content = evaluate(options.run, options.release, options.truth, out, options.accelerator, options.batch)
    except DetectorError as error:
        sys.stderr.write(f"{error}.\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Stopped before it was done; evaluate again.\n")
        return INTERRUPTED
    sys.stdout.write(json.dumps(content, indent=1) + "\n")
    return 0


def evaluate(run: Path, folder: Path, truth: Path, out: Path, accelerator: str, batch: int) -> dict[str, Any]:
    """Score a run on the sub-volumes whose slices are all there; the report is also in `out`.

    A part of a sub-volume would be held against lesions that lie outside it, and its false positives counted as if of
    the whole; the report tells how many sub-volumes lack some slices or all.

    Raises
    ------
    DetectorError : any of its kinds; EmptySplit where no sub-volume is there as a whole.
    """
    trained = checkpoint.detector(run)
    network, settings = trained.network, trained.settings
    release = open_release(folder)
    annotated = volumes.read(truth, 6)
    samples = {name: _samples(release, name) for name in annotated}
    present = {name: boxes for name, boxes in annotated.items() if len(samples[name]) == volumes.depth(name)}
    partial = sum(bool(each) for each in samples.values()) - len(present)
    if not present:
        raise EmptySplit(f"{release.name} holds no sub-volume of {truth.name} as a whole; complete its images")
    device = pick_device(accelerator)
    prepare(network, device, fast=is_fast_in_bfloat16(device))
    unique = {sample.file_name: sample for name in present for sample in samples[name]}
    data = Slices(release, list(unique.values()), settings.preset.input)
    found = [
        (data.samples[index].file_name, np.add(boxes, (1, 1, 1, 1, 0)))
        for index, boxes in detect(network, data, device=device, batch=batch)
    ]
    with writing(out, f"The disk of {out} is full; make room and evaluate again"):
        out.mkdir(parents=True, exist_ok=True)
        write_detections(out / "detections.csv", found)
    joined = volumes.read_stacked(out / "detections.csv", present)
    content = volumes.report(present, joined, volumes.IOBB)
    content["partial_volumes"] = partial
    content["missing_volumes"] = len(annotated) - len(present) - partial
    content["run"] = facts_of(trained)
    content["marked_lesions_alone"] = _recount(release, set(unique), out, present)
    replace(out / "report.json", json.dumps(content, indent=1) + "\n")
    return content


def _samples(release: Release, name: str) -> list[Sample]:
    """Slices of a sub-volume that are there; spacing and interval are those of the series' marked lesions."""
    series, first, last = volumes.parts(name)
    rows = [lesion for lesion in release.lesions if lesion.folder == series]
    present = slices.available(release.images / series)
    none = np.zeros((0, 4))
    return [
        Sample(
            f"{series}_{number:03d}.png", series, number, rows[0].patient, rows[0].spacing, rows[0].interval,
            rows[0].image_size, none,
        )
        for number in range(first, last + 1)
        if rows and number in present
    ]  # fmt: skip


def _recount(release: Release, names: set[str], out: Path, present: volumes.Volumes) -> dict[str, Any]:
    marked = [lesion for lesion in select(release.lesions, "all") if lesion.file_name in names]
    if not marked:
        return {}
    truth = truth_of(marked)
    detections = read_detections(out / "detections.csv", truth)
    return unannotated.recount(truth, detections, match(truth, detections, 0.5, "deeplesion"), present)


if __name__ == "__main__":
    sys.exit(main())
