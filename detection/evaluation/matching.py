"""Which detections hit which lesions, in two conventions.

`deeplesion`, the literature's: boxes name their first and last pixel (+1); a detection is a false positive only if it
overlaps no lesion enough; a further detection on a lesion already hit is neither; one detection may hit several.
`strict`: continuous edges; a detection claims at most one lesion, surest first, and whatever claims none is a false
positive, further detections on a lesion already hit included.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from detection.evaluation.overlap import Floats, paired_iou
from detection.evaluation.tables import Detections, Ints, Truth

Convention = Literal["deeplesion", "strict"]
CONVENTIONS: dict[str, Convention] = {"deeplesion": "deeplesion", "strict": "strict"}
"""By the names that rows keep."""


@dataclass(frozen=True, slots=True)
class Match:
    """What a FROC curve is made of."""

    hit_scores: Floats
    """(G,) score from which each lesion counts as hit; -inf where never."""
    false_positive: NDArray[np.bool_]
    """(D,) whether a detection is a false positive."""
    lesion: Ints
    """(D,) lesion that it claims, in `deeplesion` the one of those it hits that it overlaps most; -1 where it hits
    none."""


def match(truth: Truth, found: Detections, iou: float, convention: Convention) -> Match:
    """Compare detections with lesions; an overlap of exactly `iou` is a hit.

    Parameters
    ----------
    iou : 0..1, without 0.
    """
    if convention == "strict":
        return _strict(truth, found, iou)
    hit_scores = np.full(len(truth.boxes), -np.inf)
    claimed, greatest = _none(found), np.zeros(len(found.scores))
    for detection, lesion in _pairs(truth, found):
        overlaps = paired_iou(_rows(found.boxes, detection), truth.boxes[lesion], 1.0)
        hit = np.flatnonzero(overlaps >= iou)
        np.maximum.at(hit_scores, lesion[hit], found.scores[detection[hit]])
        better = hit[overlaps[hit] > greatest[detection[hit]]]
        greatest[detection[better]] = overlaps[better]
        claimed[detection[better]] = lesion[better]
    return Match(hit_scores, claimed < 0, claimed)


def _strict(truth: Truth, found: Detections, iou: float) -> Match:
    detections, lesions, overlaps = [], [], []
    for detection, lesion in _pairs(truth, found):
        values = paired_iou(_rows(found.boxes, detection), truth.boxes[lesion], 0.0)
        hit = np.flatnonzero(values >= iou)
        detections.append(detection[hit])
        lesions.append(lesion[hit])
        overlaps.append(values[hit])
    detection, lesion = (
        np.concatenate([*detections, []]).astype(np.int64),
        np.concatenate([*lesions, []]).astype(np.int64),
    )
    overlap = np.concatenate([*overlaps, []])
    # Surest first; equal scores by overlap, so that the order of the file decides nothing.
    order = np.lexsort((-overlap, -found.scores[detection]))
    hit_scores = np.full(len(truth.boxes), -np.inf)
    claimed = _none(found)
    taken = np.zeros(len(truth.boxes), dtype=np.bool_)
    for one, other in zip(detection[order].tolist(), lesion[order].tolist(), strict=True):
        if not taken[other] and claimed[one] < 0:
            taken[other] = True
            claimed[one] = other
            hit_scores[other] = found.scores[one]
    return Match(hit_scores, claimed < 0, claimed)


def _none(found: Detections) -> Ints:
    return np.full(len(found.scores), -1, dtype=np.int64)


def _rows(boxes: Floats, index: Ints) -> Floats:
    """Take rows; all of them without a copy, as most images have exactly one lesion."""
    return boxes if len(index) == len(boxes) else boxes[index]


def _pairs(truth: Truth, found: Detections) -> list[tuple[Ints, Ints]]:
    """Detections with the first lesion of their images, then with the second, and so on."""
    images = np.arange(len(truth.names) + 1)
    bounds = np.searchsorted(truth.image, images)
    first, count = bounds[:-1], np.diff(bounds)
    pairs = []
    of_image = count[found.image]
    for number in range(int(count.max(initial=0))):
        detection = np.flatnonzero(of_image > number)
        pairs.append((detection, first[_taken(found.image, detection)] + number))
    return pairs


def _taken(values: Ints, index: Ints) -> Ints:
    return values if len(index) == len(values) else values[index]
