"""A stored 16-bit slice as the 8-bit picture that a browser shows."""

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image

from datasets.geometry import hu
from datasets.models import Lesion, LesionType, Slice
from datasets.storage import slice_storage

SOFT_TISSUE = (-175.0, 275.0)
_LARGEST = 1024


class BadPicture(ValueError):
    """The parameters ask for a picture that cannot be made."""


class NoPicture(LookupError):
    """The slice's file is not there or cannot be read."""


@dataclass(frozen=True, slots=True)
class View:
    """HU window, and optionally a crop in 0-based pixel edges and the longer side of the result in pixels."""

    low: float
    high: float
    crop: tuple[float, float, float, float] | None = None
    size: int | None = None


def parse(parameters: dict[str, str], place: Slice) -> View:
    """Read `low`, `high`, `crop` and `size`; the window defaults to the slice's own.

    Raises
    ------
    BadPicture : a value is not a number or out of range.
    """
    default = window_of(place)
    low = _number(parameters, "low", default[0], -32768, 32767)
    high = _number(parameters, "high", default[1], -32768, 32767)
    if low >= high:
        raise BadPicture("low must be below high.")
    crop = None
    if "crop" in parameters:
        parts = parameters["crop"].split(",")
        if len(parts) != 4:
            raise BadPicture("crop is x1,y1,x2,y2.")
        x1, y1, x2, y2 = (_number({"crop": part}, "crop", 0, -4096, 8192) for part in parts)
        if not (1 <= x2 - x1 <= 4096 and 1 <= y2 - y1 <= 4096):
            raise BadPicture("crop must be 1 to 4096 pixels wide and high.")
        crop = (x1, y1, x2, y2)
    size = int(_number(parameters, "size", 0, 16, _LARGEST)) if "size" in parameters else None
    return View(low, high, crop, size)


LUNG = (-1500.0, 500.0)
LUNG_LOW_ENOUGH = -900.0
"""A window that begins above this hides the lung."""


def window_for(lesion: Lesion) -> tuple[float, float]:
    """The window in which a lesion is seen best.

    Lung lesions, and boxes that the slice's own window would show all black, are shown in a lung window.
    """
    own = window_of(lesion.slice)
    black = lesion.max_hu is not None and lesion.max_hu <= own[0]
    return LUNG if own[0] > LUNG_LOW_ENOUGH and (lesion.type == LesionType.LUNG or black) else own


def in_air(lesion: Lesion) -> bool:
    """Whether a box holds nothing but air: no window shows anything in it."""
    return lesion.max_hu is not None and lesion.max_hu <= LUNG_LOW_ENOUGH


def window_of(place: Slice) -> tuple[float, float]:
    """The slice's own window, soft tissue where it has none."""
    if place.window_low is None or place.window_high is None or place.window_low >= place.window_high:
        return SOFT_TISSUE
    return place.window_low, place.window_high


def render(place: Slice, view: View) -> bytes:
    """Draw a slice as an 8-bit PNG; what a crop asks for outside the image is air.

    Raises
    ------
    NoPicture : its file is missing or no picture.
    """
    try:
        with (
            slice_storage(place.series.study.patient.collection).open(place.path) as file,
            Image.open(file, formats=["PNG"]) as png,
        ):
            values = np.asarray(png)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise NoPicture(place.file_name) from error
    if values.ndim != 2:
        raise NoPicture(place.file_name)
    if view.crop:
        values = _cut(values, view.crop)
    picture = Image.fromarray(hu.window(hu.from_png(values), view.low, view.high))
    if view.size:
        scale = view.size / max(picture.size)
        width, height = (max(1, round(side * scale)) for side in picture.size)
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    buffer = BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _cut(values: np.ndarray, crop: tuple[float, float, float, float]) -> np.ndarray:
    x1, y1, x2, y2 = (round(edge) for edge in crop)
    x2, y2 = max(x2, x1 + 1), max(y2, y1 + 1)
    rows, columns = values.shape
    out = np.full((y2 - y1, x2 - x1), hu.OFFSET - 1024, dtype=np.uint16)
    left, top, right, bottom = max(x1, 0), max(y1, 0), min(x2, columns), min(y2, rows)
    if left < right and top < bottom:
        out[top - y1 : bottom - y1, left - x1 : right - x1] = values[top:bottom, left:right]
    return out


def _number(parameters: dict[str, str], name: str, default: float, low: float, high: float) -> float:
    try:
        value = float(parameters.get(name, default))
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise BadPicture(f"{name} must be a number from {low:g} to {high:g}.")
    return value
