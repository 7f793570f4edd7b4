"""Command line: `python -m detection.evaluation.froc --truth DL_info.csv --detections detections.csv`."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from detection import accepted
from detection.data.table import SPLITS
from detection.disk import writing
from detection.errors import DetectorError
from detection.evaluation import bootstrap
from detection.evaluation.matching import match
from detection.evaluation.report import report
from detection.evaluation.tables import read_detections, read_truth
from detection.training.settings import replace


def main(arguments: list[str] | None = None) -> int:
    """Print the FROC report of a detections file as JSON, or write it; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        text = json.dumps(evaluate(options), indent=1) + "\n"
        if options.out is None:
            sys.stdout.write(text)
        else:
            with writing(options.out.parent, f"The disk of {options.out.parent} is full; make room and score again"):
                replace(options.out, text)
    except DetectorError as error:
        sys.stderr.write(f"{error}.\n")
        return 1
    return 0


def evaluate(options: argparse.Namespace) -> dict[str, Any]:
    """Score one detections file, and its difference to another where one is given."""
    truth = read_truth(options.truth, options.split)
    found = read_detections(options.detections, truth)
    content = report(
        truth,
        found,
        iou=options.iou,
        convention=options.convention,
        ties=options.interpolation,
        repeats=options.bootstrap,
        seed=options.seed,
    )
    if options.compare is not None:
        other = read_detections(options.compare, truth)
        pair = [(each, match(truth, each, options.iou, options.convention)) for each in (other, found)]
        content["compared"] = bootstrap.paired_difference(
            truth, pair[0], pair[1], repeats=options.bootstrap, seed=options.seed, ties=options.interpolation
        )
    return content


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m detection.evaluation.froc",
        description="Score anyone's detections as the literature does. Detections of equal score are one step of the "
        "curve, so that their order decides nothing.",
    )
    parser.add_argument("--truth", type=Path, required=True, help="DL_info.csv")
    parser.add_argument("--detections", type=Path, required=True, help="CSV: File_name, x1, y1, x2, y2, score")
    parser.add_argument("--compare", type=Path, help="a second CSV; prints the paired difference to it")
    parser.add_argument("--out", type=Path, help="file for the report, which is printed unless one is named")
    parser.add_argument("--split", choices=[*SPLITS, "all"], default="test")
    parser.add_argument("--iou", type=accepted.share, default=0.5, help="overlap from which a lesion is hit (0.5)")
    parser.add_argument(
        "--convention", choices=["deeplesion", "strict"], default="deeplesion",
        help="deeplesion (default): a further detection on a lesion already hit is neither right nor wrong; "
        "strict: it is a false positive",
    )  # fmt: skip
    parser.add_argument(
        "--interpolation", choices=["lowest", "highest"], default="lowest",
        help="which sensitivity counts where several points of the curve share a rate of false positives (lowest)",
    )  # fmt: skip
    parser.add_argument(
        "--bootstrap", type=accepted.count, default=1000, help="draws for the bands (1000); 0 for none"
    )
    parser.add_argument("--seed", type=accepted.seed, default=0)
    return parser


if __name__ == "__main__":
    sys.exit(main())
