"""The linear map from raw scores to DeepLesion's scale, 0 towards the head and 1 towards the feet.

A score learned from order alone has no zero and no unit. Three ways to give it both, the first that a release allows:

- `locations`: the release came with `Normalized_lesion_location` (the published DeepLesion; a phantom, whose truth is
  known; never what a regressor computed). A robust line through z against the score of the lesions' slices.
- `types`: no locations, but lesion types. DeepLesion's unit is 1,132 mm (median of 753 series of the official test
  split with two lesions 60 mm or more apart), so the mean slope of the score per mm gives the scale; the
  published median z per type gives the zero.
- `median`: neither. The scale as above; the median score of the release's lesions is set to 0.587, DeepLesion's
  median. Right only for a release whose mix of regions is like DeepLesion's, which the model's record says.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detection.bodypart.lines import theil_sen

UNIT_MM = 1132.0
"""Millimetres of body per 1 of published z."""
MEDIAN_Z = 0.587
TYPE_MEDIANS = {1: 0.678, 2: 0.636, 3: 0.447, 4: 0.600, 5: 0.496, 6: 0.657, 7: 0.486, 8: 0.804}
"""Coarse_lesion_type -> median z of the official test split."""
ENOUGH = 10
"""Lesions below which a way is not taken."""


@dataclass(frozen=True)
class Anchor:
    """z = scale * score + offset, how it was found, and from how many lesions."""

    scale: float
    offset: float
    method: str
    lesions: int

    def map(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(self.scale * scores + self.offset)


def fit(
    scores: Sequence[float], z: Sequence[float | None], types: Sequence[int | None], slope_per_mm: float
) -> Anchor:
    """Find the map.

    Parameters
    ----------
    scores, z, types : of the lesions' slices; None where the release has no z or type.
    slope_per_mm : median slope of the raw score over the training series, > 0.
    """
    raw = np.asarray(scores, dtype=np.float64)
    known = np.array([value is not None for value in z], dtype=bool)
    if known.sum() >= ENOUGH and np.ptp(raw[known]) > 0:
        slope, offset = theil_sen(raw[known], np.array([value for value in z if value is not None]))
        if slope > 0:
            return Anchor(slope, offset, "locations", int(known.sum()))
    scale = 1.0 / (UNIT_MM * slope_per_mm)
    typed = np.array([kind in TYPE_MEDIANS for kind in types], dtype=bool)
    if typed.sum() >= ENOUGH:
        kinds = np.array([kind or -1 for kind in types])
        present = sorted(set(kinds[typed].tolist()))
        zeros = [TYPE_MEDIANS[kind] - scale * float(np.median(raw[kinds == kind])) for kind in present]
        counts = [int((kinds == kind).sum()) for kind in present]
        # Not their mean: in a small release, bone and soft tissue may lie anywhere in the body.
        return Anchor(scale, float(np.median(np.repeat(zeros, counts))), "types", int(typed.sum()))
    return Anchor(scale, MEDIAN_Z - scale * float(np.median(raw)), "median", len(raw))
