"""From where on a mark is doubtful, and from where on two marks are one: each a setting with a default.

The defaults lie outside the range of the published lesions that are not noisy (boxes and axes: 4,912 rows of the test
split; pixels: 43 key slices), and were tried on phantom hospitals, whose truth tells which marks are mistakes.
"""

from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings


@dataclass(frozen=True)
class Thresholds:
    """Every threshold of the curation. In the environment the names are in capitals: `NOISE_SMALLEST_MM2`."""

    noise_smallest_mm2: float = 35.0
    """Area of the padded box; the smallest published one is 43 mm²."""
    noise_largest_mm2: float = 23_000.0
    """The largest published one is 22,852 mm²."""
    noise_flattest: float = 4.0
    """Longer side by shorter side of the box; 99.9% of the published ones lie below 3.5."""
    noise_thinnest: float = 11.0
    """Long by short diameter; the published ones reach 10.5."""
    noise_askew_degrees: float = 50.0
    """Angle between the axes, which should be 90; the least published one is 53.9."""
    noise_outside: float = 0.5
    """Share of the box in the air around the body; no published or phantom lesion has any."""
    noise_darkest_hu: float = -900.0
    """Mean inside the box: air around the body lies below, lung with a nodule above."""
    noise_smoothest_hu: float = 7.0
    """Standard deviation inside the box; noise alone gives more."""
    noise_narrowest_hu: float = 40.0
    """Range from the darkest to the brightest pixel inside the box."""
    noise_plainest: float = 1.2
    """Standard deviation inside the box by that of the pixel noise; near 1 there is nothing but noise."""
    noise_faintest: float = 10.0
    """Distinctness from the surroundings of a mark too small to be seen without contrast; the published ones reach
    down to 13.8."""
    noise_faint_below_mm: float = 6.0
    """Long diameter up to which a mark must be that distinct; larger lesions of an organ's own density are real."""
    merge_iou: float = 0.6
    """Boxes on one slice that overlap by more are one lesion (paper section 2.2.1)."""
    propose_iou: float = 0.4
    """Boxes that overlap so much are proposed to people as one lesion; two of 97 published pairs on a slice do."""
    propose_within_mm: float = 10.0
    """The same, for boxes on slices so near each other."""


def read(number: Callable[[str, float], float]) -> Thresholds:
    """Read the thresholds with a function that takes a variable's name and default."""
    defaults = vars(Thresholds())
    return Thresholds(**{name: number(name.upper(), default) for name, default in defaults.items()})


def in_force() -> Thresholds:
    """The thresholds of this installation."""
    found: Thresholds = settings.THRESHOLDS
    return found
