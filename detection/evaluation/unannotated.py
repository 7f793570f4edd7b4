"""How many false positives are lesions that nobody marked, told by a set in which every lesion is annotated."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from detection.evaluation.curve import AVERAGED
from detection.evaluation.matching import Match
from detection.evaluation.overlap import Floats, iobb, paired_iou
from detection.evaluation.strata import curve_of
from detection.evaluation.tables import Detections, Truth
from detection.evaluation.volumes import IOBB, parts


def recount(
    truth: Truth,
    found: Detections,
    matched: Match,
    volumes: Mapping[str, Floats],
    *,
    points: Sequence[float] = AVERAGED,
) -> dict[str, dict[str, Any]]:
    """Count false positives against the marked lesions, and those among them that lie in one that nobody marked.

    Parameters
    ----------
    truth : marked lesions of key slices; found, matched : detections in them.
    volumes : per sub-volume (M, 6) boxes of all lesions, in the frame of `found`; images outside them are left out.
    points : false positives per image (of `truth`) that choose the score from which detections count.

    Returns
    -------
    Per point: `false_positives`, `of_them_lesions`.
    """
    lesions = {
        image: _unmarked(annotated, truth.boxes[truth.image == image])
        for image, annotated in _of_images(truth.names, volumes).items()
    }
    wrong = [index for index in np.flatnonzero(matched.false_positive).tolist() if int(found.image[index]) in lesions]
    real = np.array([_is_lesion(found, index, lesions[int(found.image[index])]) for index in wrong], dtype=np.bool_)
    scores = found.scores[wrong]
    curve = curve_of(truth, found, matched)
    result = {}
    for point in points:
        last = int(np.searchsorted(curve.false_positives, point, side="right")) - 1
        counted = scores >= (curve.thresholds[last] if last >= 0 else np.inf)
        result[f"{point:g}"] = {
            "false_positives": int(counted.sum()),
            "of_them_lesions": int((counted & real).sum()),
        }
    return result


def _of_images(names: Sequence[str], volumes: Mapping[str, Floats]) -> dict[int, Floats]:
    """Boxes that pass through each image that lies in a sub-volume."""
    of_series: dict[str, list[tuple[int, int, Floats]]] = {}
    for name, boxes in volumes.items():
        series, first, last = parts(name)
        of_series.setdefault(series, []).append((first, last, boxes))
    result = {}
    for index, name in enumerate(names):
        series, _, number = name.removesuffix(".png").rpartition("_")
        for first, last, boxes in of_series.get(series, []):
            if first <= int(number) <= last:
                result[index] = boxes[(boxes[:, 2] <= int(number)) & (boxes[:, 5] >= int(number))]
    return result


def _unmarked(annotated: Floats, marked: Floats) -> Floats:
    """Annotated lesions (M, 6) of a slice without those that are the marked ones (K, 4).

    A marked lesion is the annotated one that its box overlaps most, however little: the boxes of small lesions are
    mostly margin.
    """
    flat = annotated[:, [0, 1, 3, 4]]
    left = np.ones(len(annotated), dtype=np.bool_)
    for box in marked:
        overlaps = paired_iou(np.broadcast_to(box, flat.shape), flat, 1.0)
        if overlaps.max(initial=0.0) > 0:
            left[int(overlaps.argmax())] = False
    return annotated[left]


def _is_lesion(found: Detections, index: int, lesions: Floats) -> bool:
    x1, y1, x2, y2 = found.boxes[index].tolist()
    flat = lesions * [1, 1, 0, 1, 1, 0]
    return bool((iobb(np.array([[x1, y1, 0, x2, y2, 0]]), flat) >= IOBB).any())
