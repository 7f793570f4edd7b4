"""From four points to the columns of a lesion that follow from them."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from datasets.geometry import recist
from datasets.geometry.region import Statistics
from datasets.geometry.surroundings import Surroundings
from datasets.models import Lesion

POINTS = ("x11", "y11", "x12", "y12", "x21", "y21", "x22", "y22")
BOX = ("box_x1", "box_y1", "box_x2", "box_y2")


def measured(
    points: ArrayLike,
    spacing: tuple[float, float],
    inside: Statistics | None,
    around: Surroundings | None = None,
) -> dict[str, Any]:
    """Compute points, box, diameters and what the pixels say as `Lesion` holds them.

    Parameters
    ----------
    points : (4, 2), 0-based pixels.
    spacing : mm per pixel along x and y; the axis that is longer in mm becomes the first.
    inside : HU inside the padded box, None where the pixels were not seen; `around`, what it is compared with, alike.
    """
    ordered = recist.long_axis_first(points, spacing)
    long_px, short_px = recist.diameters(ordered).tolist()
    long_mm, short_mm = recist.diameters(ordered, spacing).tolist()
    values: dict[str, Any] = dict(zip(POINTS, ordered.ravel().tolist(), strict=True))
    values |= dict(zip(BOX, recist.bounding_box(ordered).tolist(), strict=True))
    values |= {"long_px": long_px, "short_px": short_px, "long_mm": long_mm, "short_mm": short_mm}
    values |= {"long_um": micrometres(long_mm), "short_um": micrometres(short_mm)}
    if inside is not None:
        values |= {f"{name}_hu": value for name, value in inside._asdict().items()}
    if around is not None:
        values |= {
            "outside_body": around.outside,
            "noise_hu": around.noise,
            "distinctness": around.distinctness,
        }
    return values


def inside_box(lesion: Lesion) -> Statistics | None:
    """The statistics that a lesion carries; None where its pixels were not seen."""
    mean, std, low, high = lesion.mean_hu, lesion.std_hu, lesion.min_hu, lesion.max_hu
    if mean is None or std is None or low is None or high is None:
        return None
    return Statistics(mean, std, low, high)


def surroundings_of(lesion: Lesion) -> Surroundings | None:
    """What a lesion's surroundings are like; None where its pixels were not seen."""
    outside, noise, distinctness = lesion.outside_body, lesion.noise_hu, lesion.distinctness
    if outside is None or noise is None or distinctness is None:
        return None
    return Surroundings(outside, noise, distinctness)


def micrometres(mm: float) -> int:
    """A length that orders exactly; at least 1."""
    return max(1, int(np.rint(mm * 1000)))
