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

from detection import evaluating
from detection.data import slices
from detection.data.dataset import Slices
from detection.data.release import Release, Sample, open_release
from detection.data.table import select
from detection.disk import writing
from detection.errors import INTERRUPTED, DetectorError, EmptySplit
from detection.evaluating import DETECTIONS, REPORT, USUAL, Means, Progress
from detection.evaluation import unannotated, volumes
from detection.evaluation.matching import match
from detection.evaluation.tables import read_detections, truth_of, write_detections
from detection.training import checkpoint
from detection.training.settings import replace


def main(arguments: list[str] | None = None) -> int:
    """Evaluate a run on sub-volumes; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m detection.evaluate_volumes", description=__doc__)
    evaluating.add_options(parser, "RUN/evaluation-volumes")
    parser.add_argument("--truth", type=Path, required=True, help="JSON of every lesion's box in 3-D")
    asked = parser.parse_args(arguments)
    out = asked.out or asked.run / "evaluation-volumes"
    try:
        content = evaluate(
            asked.run, asked.release, asked.truth, out, how=evaluating.means(asked), cache=asked.cache,
            which=asked.checkpoint, progress=evaluating.teller(out, "slices"),
        )  # fmt: skip
    except DetectorError as error:
        sys.stderr.write(f"{error}.\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Stopped before it was done; evaluate again.\n")
        return INTERRUPTED
    evaluating.caution(asked.run, content)
    sys.stdout.write(json.dumps(content, indent=1) + "\n")
    return 0


def evaluate(
    run: Path,
    folder: Path,
    truth: Path,
    out: Path,
    *,
    how: Means = USUAL,
    cache: Path | None = None,
    which: checkpoint.Which = "best",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Score a run on the sub-volumes whose slices are all there; the report is also in `out`.

    A part of a sub-volume would be held against lesions that lie outside it, and its false positives counted as if of
    the whole; the report tells how many sub-volumes lack some slices or all.

    Parameters
    ----------
    run : folder that training wrote; `folder` : the release.
    truth : boxes in 3-D by sub-volume, see `volumes.read`.
    cache : folder that keeps decoded slices; which : the checkpoint, see `checkpoint.detector`.

    Raises
    ------
    DetectorError : any of its kinds; EmptySplit where no sub-volume is there as a whole.
    """
    trained = checkpoint.detector(run, which)
    release = open_release(folder)
    annotated = volumes.read(truth, 6)
    samples = {name: _samples(release, name) for name in annotated}
    present = {name: boxes for name, boxes in annotated.items() if len(samples[name]) == volumes.depth(name)}
    incomplete = sum(bool(each) for each in samples.values()) - len(present)
    if not present:
        raise EmptySplit(f"{release.name} holds no sub-volume of {truth.name} as a whole; complete its images")
    unique = {sample.file_name: sample for name in present for sample in samples[name]}
    data = Slices(release, list(unique.values()), trained.settings.preset.input, cache=cache)
    found = evaluating.boxes_in(trained, data, out, how, progress)
    with writing(out, evaluating.full(out)):
        (out / REPORT).unlink(missing_ok=True)
        rows = zip(data.samples, found, strict=True)
        write_detections(out / DETECTIONS, [(sample.file_name, evaluating.in_csv(boxes)) for sample, boxes in rows])
        content = volumes.report(present, volumes.read_stacked(out / DETECTIONS, present), volumes.IOBB)
        content["partial_volumes"] = incomplete
        content["missing_volumes"] = len(annotated) - len(present) - incomplete
        content |= evaluating.facts_of(trained, release, how)
        content["marked_lesions_alone"] = _recount(release, set(unique), out, present)
        replace(out / REPORT, json.dumps(content, indent=1) + "\n")
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
    detections = read_detections(out / DETECTIONS, truth)
    return unannotated.recount(truth, detections, match(truth, detections, 0.5, "deeplesion"), present)


if __name__ == "__main__":
    sys.exit(main())
