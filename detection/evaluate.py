"""Command line: `python -m detection.evaluate RUN RELEASE --split test`: detections.csv, report.json, pictures."""

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection import accepted, evaluating
from detection.data.dataset import Slices
from detection.data.release import Release, Sample, open_release
from detection.data.slices import available
from detection.data.table import SPLITS, select
from detection.disk import writing
from detection.errors import INTERRUPTED, DetectorError
from detection.evaluating import DETECTIONS, REPORT, USUAL, Means, Progress
from detection.evaluation import pictures
from detection.evaluation.report import report
from detection.evaluation.tables import read_detections, truth_of, write_detections
from detection.training import checkpoint
from detection.training.settings import replace

PICTURES = "pictures"


def main(arguments: list[str] | None = None) -> int:
    """Evaluate a run; returns the exit status."""
    asked = _parser().parse_args(arguments)
    out = asked.out or asked.run / f"evaluation-{asked.split}"
    try:
        content = evaluate(
            asked.run, asked.release, split=asked.split, out=out, how=evaluating.means(asked), cache=asked.cache,
            count=asked.pictures, repeats=asked.bootstrap, which=asked.checkpoint,
            progress=evaluating.teller(out, "images"),
        )  # fmt: skip
    except DetectorError as error:
        sys.stderr.write(f"{error}.\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Stopped before it was done; evaluate again.\n")
        return INTERRUPTED
    evaluating.caution(asked.run, content)
    summary = {name: content[name] for name in ("sensitivity", "average_sensitivity")}
    sys.stdout.write(json.dumps(summary) + "\n")
    return 0


def evaluate(
    run: Path,
    folder: Path,
    *,
    split: str = "test",
    out: Path | None = None,
    how: Means = USUAL,
    cache: Path | None = None,
    count: int = 12,
    repeats: int = 1000,
    which: checkpoint.Which = "best",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Detect in one split of a release and score it; returns the report, which is in `out` with everything else.

    Parameters
    ----------
    run : folder that training wrote; `folder` : the release.
    out : RUN/evaluation-{split} unless given. An earlier evaluation there is replaced once everything is detected.
    cache : folder that keeps decoded slices; of use only where the same split is evaluated again, as each slice is
        decoded once.
    count : pictures at random, and as many of the worst misses.
    repeats : draws for the confidence bands.
    which : the checkpoint, see `checkpoint.detector`; the report says which it was.

    Raises
    ------
    DetectorError : any of its kinds; BadCheckpoint also where the run has not learned a step.
    """
    trained = checkpoint.detector(run, which)
    settings = trained.settings
    release = open_release(folder)
    samples = release.samples(split)
    data = Slices(release, samples, settings.preset.input, cache=cache)
    out = out or run / f"evaluation-{split}"
    found = evaluating.boxes_in(trained, data, out, how, progress)
    with writing(out, evaluating.full(out)):
        _clear(out)
        rows = zip(samples, found, strict=True)
        write_detections(out / DETECTIONS, [(sample.file_name, evaluating.in_csv(boxes)) for sample, boxes in rows])
        content = _report(release, split, out, repeats) | evaluating.facts_of(trained, release, how)
        content["split"] = split
        content["pictures"] = _pictures(release, samples, found, out, count, settings.seed)
        replace(out / REPORT, json.dumps(content, indent=1) + "\n")
    return content


def _clear(out: Path) -> None:
    """Remove an earlier evaluation, its report first: a report is never beside what it does not speak of."""
    (out / REPORT).unlink(missing_ok=True)
    (out / DETECTIONS).unlink(missing_ok=True)
    shutil.rmtree(out / PICTURES, ignore_errors=True)


def _report(release: Release, split: str, out: Path, repeats: int) -> dict[str, Any]:
    truth = truth_of(select(release.lesions, split))
    return report(truth, read_detections(out / DETECTIONS, truth), repeats=repeats)


def _pictures(
    release: Release, samples: list[Sample], found: list[NDArray[np.float64]], out: Path, count: int, seed: int
) -> list[dict[str, Any]]:
    chosen = pictures.choose([sample.boxes for sample in samples], found, count=count, seed=seed)
    (out / PICTURES).mkdir(exist_ok=True)
    listed = []
    for index, reason in chosen:
        sample = samples[index]
        path = available(release.images / sample.folder)[sample.slice]
        pictures.draw(path, sample.boxes, found[index], out / PICTURES / sample.file_name)
        listed.append({"file": f"{PICTURES}/{sample.file_name}", "reason": reason})
    return listed


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m detection.evaluate", description="Evaluate a trained detector.")
    evaluating.add_options(parser, "RUN/evaluation-SPLIT")
    parser.add_argument("--split", choices=[*SPLITS, "all"], default="test")
    parser.add_argument(
        "--pictures", type=accepted.count, default=12, help="pictures at random, and of the worst misses (12)"
    )
    parser.add_argument("--bootstrap", type=accepted.count, default=1000, help="draws for the confidence bands (1000)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
