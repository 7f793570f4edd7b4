"""Noise: what speaks against a mark, each reason with the measured value and the threshold that it passes.

Source: paper section 2.2.1, which flags boxes that are too small, large, flat, dark or small in intensity range; and
what a radiologist would notice besides: a mark beside the patient, axes askew, a speck that nothing tells from its
surroundings.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from datasets.geometry import recist
from datasets.models import Lesion
from datasets.services.measure import inside_box, surroundings_of
from datasets.thresholds import Thresholds


class Reason(NamedTuple):
    """One check: its name, what is measured, and whether the value must stay above or below the threshold."""

    name: str
    value: float
    threshold: float
    applies: bool

    def as_json(self) -> dict[str, Any]:
        """As `Lesion.noise_reasons` holds it."""
        return {"reason": self.name, "value": round(self.value, 3), "threshold": self.threshold}


def noise_reasons(lesion: Lesion, spacing: tuple[float, float], limits: Thresholds) -> list[dict[str, Any]]:
    """Say why a lesion may be noise: `[{reason, value, threshold}]`, empty when nothing speaks against it.

    Parameters
    ----------
    lesion : with its axes and box and, where its pixels were seen, what they say.
    spacing : mm per pixel along x and y.
    """
    checks = [*_shape(lesion, spacing, limits), *_pixels(lesion, limits)]
    return [check.as_json() for check in checks if check.applies]


def _below(name: str, value: float, threshold: float) -> Reason:
    return Reason(name, value, threshold, value < threshold)


def _above(name: str, value: float, threshold: float) -> Reason:
    return Reason(name, value, threshold, value > threshold)


def _shape(lesion: Lesion, spacing: tuple[float, float], limits: Thresholds) -> Iterator[Reason]:
    width = (lesion.box_x2 - lesion.box_x1) * spacing[0]
    height = (lesion.box_y2 - lesion.box_y1) * spacing[1]
    yield _below("too small", width * height, limits.noise_smallest_mm2)
    yield _above("too large", width * height, limits.noise_largest_mm2)
    yield _above("too flat", max(width, height) / min(width, height), limits.noise_flattest)
    yield _above("too thin", lesion.long_mm / lesion.short_mm, limits.noise_thinnest)
    yield _below("axes askew", _angle(lesion, spacing), limits.noise_askew_degrees)


def _angle(lesion: Lesion, spacing: tuple[float, float]) -> float:
    """Degrees between the axes in mm, 0..90."""
    long, short = recist.axes(np.reshape(lesion.points, (4, 2))) * spacing
    cosine = abs(float(long @ short)) / float(np.linalg.norm(long) * np.linalg.norm(short))
    return float(np.degrees(np.arccos(min(1.0, cosine))))


def _pixels(lesion: Lesion, limits: Thresholds) -> Iterator[Reason]:
    inside, around = inside_box(lesion), surroundings_of(lesion)
    if inside is not None:
        yield _below("too dark", inside.mean, limits.noise_darkest_hu)
        yield _below("too even", inside.std, limits.noise_smoothest_hu)
        yield _below("too small a range", inside.max - inside.min, limits.noise_narrowest_hu)
    if around is not None:
        yield _above("outside the body", around.outside, limits.noise_outside)
        if lesion.long_mm < limits.noise_faint_below_mm:
            yield _below("a speck without contrast", around.distinctness, limits.noise_faintest)
    if inside is not None and around is not None:
        yield _below("nothing but pixel noise", inside.std / max(around.noise, 1.0), limits.noise_plainest)
