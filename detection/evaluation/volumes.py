"""FROC on fully annotated sub-volumes, where every lesion is boxed in 3-D; shows what missing annotations cost.

Truth is JSON: {"PPPPPP_SS_RR_first-last": [[x1, y1, z1, x2, y2, z2], ...]}: x and y 1-based, z the slice's number,
ends included. Detections are the same with a score as seventh number, or a CSV of 2-D detections in every slice, which
are joined along z. A detection is right where at least 0.3 of it lies in a lesion (IoBB); a further one on the same
lesion is neither right nor wrong.

Command line: `python -m detection.evaluation.volumes --truth fully_annotated_val.json --detections FILE`.
"""

import argparse
import json
import math
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from detection import accepted
from detection.errors import BadTable, DetectorError, EmptySplit
from detection.evaluation.curve import Curve, froc
from detection.evaluation.overlap import Floats, iobb, paired_iou
from detection.evaluation.tables import read_boxes

POINTS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""False positives per sub-volume that are reported."""
IOBB = 0.3
JOINED_IOU = 0.5
"""Boxes of neighbouring slices that overlap so much are one."""

Volumes = dict[str, Floats]


def read(path: Path, numbers: int) -> Volumes:
    """Read boxes per sub-volume: (N, numbers) each.

    Raises
    ------
    BadTable : the file cannot be read, a name is none of a sub-volume, or a box is not so many finite numbers.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadTable(f"{path.name} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise BadTable(f"{path.name} cannot be read as JSON") from error
    if not isinstance(content, dict):
        raise BadTable(f"{path.name} does not hold boxes by sub-volume")
    result: Volumes = {}
    for name, boxes in content.items():
        parts(name)
        try:
            table = np.array(boxes, dtype=np.float64).reshape(len(boxes), numbers)
        except (ValueError, TypeError) as error:
            raise BadTable(f"{path.name}: the boxes of {name} are not {numbers} numbers each") from error
        if not np.isfinite(table).all():
            raise BadTable(f"{path.name}: a box of {name} is not finite")
        result[name] = table
    return result


def parts(name: str) -> tuple[str, int, int]:
    """Series, first and last slice that a sub-volume's name says.

    Raises
    ------
    BadTable
    """
    found = re.fullmatch(r"(\d+_\d+_\d+)_(\d+)-(\d+)", name)
    if not found or int(found[3]) < int(found[2]):
        raise BadTable(f"{name!r} names no sub-volume; write PPPPPP_SS_RR_first-last")
    return found[1], int(found[2]), int(found[3])


def depth(name: str) -> int:
    """How many slices a sub-volume has.

    Raises
    ------
    BadTable
    """
    _, first, last = parts(name)
    return last - first + 1


def score(truth: Mapping[str, Floats], found: Mapping[str, Floats], *, threshold: float = IOBB) -> Curve:
    """FROC curve over all sub-volumes of the truth, those without lesions or detections included.

    Parameters
    ----------
    truth : (M, 6) boxes; found : (N, 7) boxes and score; both per sub-volume.
    """
    hits, wrong = [], []
    for name, lesions in truth.items():
        boxes = found.get(name, np.zeros((0, 7)))
        overlaps = iobb(boxes[:, :6], lesions) >= threshold
        scores = boxes[:, 6]
        hits.append(np.where(overlaps, scores[:, None], -np.inf).max(axis=0, initial=-np.inf))
        wrong.append(scores[~overlaps.any(axis=1)])
    return froc(np.concatenate(hits), np.concatenate(wrong), len(truth))


def stack(slices: Mapping[int, Floats]) -> Floats:
    """Join 2-D detections of neighbouring slices into boxes.

    Parameters
    ----------
    slices : slice number to (K, 5) x1, y1, x2, y2, score.

    Returns
    -------
    (N, 7): the box around what was joined, and its highest score. The surest box of a slice chooses first.
    """
    grown: list[list[float]] = []
    open_: list[tuple[list[float], Floats]] = []
    before: list[tuple[list[float], Floats]]
    last: int | None = None
    for number in sorted(slices):
        before = open_ if last is not None and number == last + 1 else []
        open_, last = [], number
        for row in sorted(slices[number], key=lambda row: -row[4]):
            box = np.asarray(row[:4], dtype=np.float64)
            overlaps = [float(paired_iou(box[None], other[None], 1.0)[0]) for _, other in before]
            best = int(np.argmax(overlaps)) if overlaps else -1
            if best >= 0 and overlaps[best] >= JOINED_IOU:
                whole, _ = before.pop(best)
                low, high = np.minimum(whole[:2], box[:2]), np.maximum(whole[3:5], box[2:])
                whole[:] = [*low.tolist(), whole[2], *high.tolist(), number, max(whole[6], float(row[4]))]
            else:
                whole = [box[0], box[1], number, box[2], box[3], number, float(row[4])]
                grown.append(whole)
            open_.append((whole, box))
    return np.array(grown, dtype=np.float64).reshape(-1, 7)


def read_stacked(path: Path, names: Iterable[str]) -> Volumes:
    """Read 2-D detections (File_name, x1, y1, x2, y2, score) and join them within each sub-volume.

    Raises
    ------
    BadTable : see `read_boxes`; a name is no slice's; or there are detections, but in no sub-volume.
    """
    of_series: dict[str, dict[int, list[tuple[float, ...]]]] = {}
    for image, row in read_boxes(path):
        series, _, number = image.removesuffix(".png").rpartition("_")
        if not number.isdecimal():
            raise BadTable(f"{path.name}: {image!r} names no slice")
        of_series.setdefault(series, {}).setdefault(int(number), []).append(row)
    result: Volumes = {}
    for name in names:
        series, first, last = parts(name)
        own = of_series.get(series, {})
        result[name] = stack({key: np.array(rows) for key, rows in own.items() if first <= key <= last})
    if of_series and not any(map(len, result.values())):
        raise BadTable(f"{path.name} holds no detection in any of the {len(result)} sub-volumes")
    return result


def report(truth: Volumes, found: Volumes, threshold: float) -> dict[str, Any]:
    """What is printed."""
    curve = score(truth, found, threshold=threshold)
    values = curve.at(POINTS)
    return {
        "volumes": len(truth),
        "lesions": sum(map(len, truth.values())),
        "detections": sum(len(found.get(name, ())) for name in truth),
        "iobb": threshold,
        "sensitivity": {f"{point:g}": round(float(value), 6) for point, value in zip(POINTS, values, strict=True)},
        "average_sensitivity": round(float(values.mean()), 6) if math.isfinite(values.mean()) else None,
    }


def main(arguments: list[str] | None = None) -> int:
    """Print the report as JSON; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m detection.evaluation.volumes")
    parser.add_argument("--truth", type=Path, required=True, help="JSON of every lesion's box in 3-D")
    parser.add_argument("--detections", type=Path, required=True, help="JSON of boxes with scores, or CSV of slices")
    parser.add_argument(
        "--iobb", type=accepted.share, default=IOBB, help="share of a detection that lies in a lesion (0.3)"
    )
    options = parser.parse_args(arguments)
    try:
        truth = read(options.truth, 6)
        if not truth:
            raise EmptySplit(f"{options.truth.name} holds no sub-volume")
        flat = options.detections.suffix == ".csv"
        found = read_stacked(options.detections, truth) if flat else read(options.detections, 7)
        if not flat and any(map(len, found.values())) and not any(len(found.get(name, ())) for name in truth):
            raise BadTable(f"{options.detections.name} holds no detection in any of the {len(truth)} sub-volumes")
    except DetectorError as error:
        sys.stderr.write(f"{error}.\n")
        return 1
    sys.stdout.write(json.dumps(report(truth, found, options.iobb), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
