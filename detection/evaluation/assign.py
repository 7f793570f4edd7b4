"""Which lesion each detection belongs to, for whoever looks at detections one by one."""

from dataclasses import dataclass

import numpy as np

from detection.evaluation.matching import Match
from detection.evaluation.overlap import Floats, paired_iou
from detection.evaluation.tables import Detections, Ints, Truth

EXTRA = {"deeplesion": 1.0, "strict": 0.0}
"""What a box's last pixel adds to its width, per convention."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """One entry per detection."""

    lesion: Ints
    """(D,) lesion that it claims, -1 where it is a false positive."""
    overlap: Floats
    """(D,) overlap with that lesion; of a false positive the greatest with any lesion of its image."""
    first: np.typing.NDArray[np.bool_]
    """(D,) whether it is the one by which its lesion counts as hit."""


def assign(truth: Truth, found: Detections, matched: Match, convention: str) -> Assignment:
    """Say of each detection how much it overlaps the lesion it claims, and whether it was the surest to do so.

    Parameters
    ----------
    matched : what `match` said of the same truth and detections in the same convention.
    """
    lesion = matched.lesion
    overlap = np.zeros(len(found.scores))
    bounds = np.searchsorted(truth.image, np.arange(len(truth.names) + 1))
    for number in range(int(np.diff(bounds).max(initial=0))):
        place = bounds[found.image] + number
        looked_at = np.where(lesion < 0, place < bounds[found.image + 1], place == lesion)
        inside = np.flatnonzero(looked_at)
        values = paired_iou(found.boxes[inside], truth.boxes[place[inside]], EXTRA[convention])
        overlap[inside] = np.maximum(overlap[inside], values)
    first = np.zeros(len(found.scores), dtype=np.bool_)
    hits = np.flatnonzero(lesion >= 0)
    by_score = hits[np.argsort(-found.scores[hits], kind="stable")]
    _, surest = np.unique(lesion[by_score], return_index=True)
    first[by_score[surest]] = True
    return Assignment(lesion, overlap, first)
