"""Command line: `python -m detection.compare RELEASE RUN RUN ... --split test`: evaluated runs beside each other.

Runs on 10, 25, 50 and 100 percent of the training patients, otherwise made the same way, give the learning curve
(Fig. 8); every run is compared with the first, patient by patient.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from detection import accepted
from detection.data.release import open_release
from detection.data.table import SPLITS, select
from detection.errors import BadRun, DetectorError
from detection.evaluating import DETECTIONS, REPORT
from detection.evaluation import bootstrap
from detection.evaluation.alike import made_alike, trained_share
from detection.evaluation.curve import AVERAGED
from detection.evaluation.matching import Match, match
from detection.evaluation.report import bands
from detection.evaluation.tables import Detections, Truth, read_detections, truth_of

IOU = 0.5
LISTED = ("preset", "options", "weights", "fraction", "seed", "step", "steps_done", "steps")
"""What is told of how a run was made."""


def main(arguments: list[str] | None = None) -> int:
    """Print the comparison as JSON; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m detection.compare", description=__doc__)
    parser.add_argument("release", type=Path, help="release that the runs were evaluated on")
    parser.add_argument("runs", type=Path, nargs="+", help="folders of evaluated runs; the first is compared against")
    parser.add_argument("--split", choices=[*SPLITS, "all"], default="test")
    parser.add_argument(
        "--bootstrap", type=accepted.count, default=1000, help="draws of patients (1000); 0 for no bands"
    )
    options = parser.parse_args(arguments)
    try:
        content = compare(options.release, options.runs, split=options.split, repeats=options.bootstrap)
    except DetectorError as error:
        sys.stderr.write(f"{error}.\n")
        return 1
    for run in content["runs"]:
        if run["finished"] is False:
            sys.stderr.write(
                f"{run['run']} was trained for {run['steps_done']} of {run['steps']} steps: it is no point of the "
                "learning curve of runs that were trained to their end.\n"
            )
    sys.stdout.write(json.dumps(content, indent=1) + "\n")
    return 0


def compare(folder: Path, runs: Sequence[Path], *, split: str = "test", repeats: int = 1000) -> dict[str, Any]:
    """Put evaluated runs beside each other.

    Parameters
    ----------
    folder : the release; runs : folders of training, evaluated on this split of it.
    repeats : draws of patients for the differences.

    Returns
    -------
    `runs`: what each was trained on, whether to its end (None where nobody knows), and its sensitivities;
    `by_share`: their mean over the runs of each share of the training patients, of those made as the first but for
    share and seed and trained as far, with its 95% band;
    `differences`: of every further run to the first, in average sensitivity, with its 95% band.

    Raises
    ------
    BadRun : a run is not evaluated on this split of this release, or by a version that kept no options.
    DetectorError : any of its kinds.
    """
    release = open_release(folder)
    truth = truth_of(select(release.lesions, split))
    reports = [_report(run, split, release.sha256) for run in runs]
    found = [_matched(run, split, truth) for run in runs]
    listed = [
        {"run": run.name, **{name: report["run"].get(name) for name in LISTED},
         "finished": trained_share(report["run"]) == 1 if report["run"].get("steps") else None,
         "sensitivity": report["sensitivity"], "average_sensitivity": report["average_sensitivity"]}
        for run, report in zip(runs, reports, strict=True)
    ]  # fmt: skip
    return {
        "release": release.name,
        "split": split,
        "runs": listed,
        "by_share": _by_share(reports, truth, found, repeats),
        "differences": [
            {"run": run.name, "against": runs[0].name,
             **bootstrap.paired_difference(truth, found[0], other, repeats=repeats)}
            for run, other in zip(runs[1:], found[1:], strict=True)
        ],
    }  # fmt: skip


def _report(run: Path, split: str, sha256: str) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads((_place(run, split) / REPORT).read_text(encoding="utf-8"))
        evaluated, made = content["release_sha256"], content["run"]
    except (OSError, ValueError, KeyError) as error:
        raise BadRun(
            f"{run} is not evaluated on the {split} split; do that with python -m detection.evaluate"
        ) from error
    if evaluated != sha256:
        raise BadRun(f"{run} was evaluated on another release; evaluate it on this one")
    if "detector" not in made:
        raise BadRun(f"{run} was evaluated by a version that did not keep its options; evaluate it again")
    return content


def _matched(run: Path, split: str, truth: Truth) -> tuple[Detections, Match]:
    found = read_detections(_place(run, split) / DETECTIONS, truth)
    return found, match(truth, found, IOU, "deeplesion")


def _place(run: Path, split: str) -> Path:
    return run / f"evaluation-{split}"


def _by_share(
    reports: list[dict[str, Any]], truth: Truth, found: list[tuple[Detections, Match]], repeats: int
) -> dict[str, dict[str, Any]]:
    """Mean over the runs of each share that are made as the first one, smallest share first.

    The band is that of the mean: the same patients are drawn for all its runs.
    """
    like = [
        (report, pair)
        for report, pair in zip(reports, found, strict=True)
        if made_alike(report["run"], reports[0]["run"])
    ]
    result = {}
    for share in sorted({report["run"]["fraction"] for report, _ in like}):
        own = [(report, pair) for report, pair in like if report["run"]["fraction"] == share]
        points = own[0][0]["sensitivity"]
        result[f"{share:g}"] = {
            "runs": len(own),
            "sensitivity": {at: statistics.mean(report["sensitivity"][at] for report, _ in own) for at in points},
            "average_sensitivity": statistics.mean(report["average_sensitivity"] for report, _ in own),
        }
        # Draws of a single patient are all alike.
        if repeats and len(np.unique(truth.patients)) > 1:
            at = [float(point) for point in points]
            drawn = [bootstrap.resample(truth, *pair, [*at, *AVERAGED], repeats=repeats, seed=0) for _, pair in own]
            result[f"{share:g}"]["bands"] = bands(np.mean(drawn, axis=0), at)
    return result


if __name__ == "__main__":
    sys.exit(main())
