"""Slices of a series: which exist, which lie between which, and their pixels in HU."""

import math
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from detection.errors import CorruptSlice, MissingSlice

OFFSET = 32768
"""PNG value = HU + 32768."""
MAX_PIXELS = 64 * 2**20
"""More than any slice has."""

Hu = NDArray[np.int16]


def available(folder: Path) -> dict[int, Path]:
    """Slices of a series by number, however many zeros it is written with; empty where the folder is missing.

    Of two files of one number the one in DeepLesion's way, 009.png, is taken; what bears no number is left out.
    """
    if not folder.is_dir():
        return {}
    names = ((re.fullmatch(r"([0-9]+)\.png", path.name), path) for path in sorted(folder.iterdir()))
    found = [(int(name[1]), path) for name, path in names if name]
    own = [(number, path) for number, path in found if path.name == f"{number:03d}.png"]
    return dict(found) | dict(own)


def read_hu(path: Path) -> Hu:
    """Decode a slice: (rows, columns) HU.

    Raises
    ------
    MissingSlice, CorruptSlice
    """
    name = f"{path.parent.name}/{path.name}"
    try:
        with Image.open(path, formats=["PNG"]) as image:
            if image.width * image.height > MAX_PIXELS:
                raise CorruptSlice(f"{name} is larger than any slice; copy it again")
            if not image.mode.startswith("I"):
                raise CorruptSlice(f"{name} is not a 16-bit PNG; write it anew in 16-bit grey, HU + 32768")
            values = np.asarray(image, dtype=np.int32)
    except FileNotFoundError as error:
        raise MissingSlice(f"{name} is not there; complete the release") from error
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise CorruptSlice(f"{name} cannot be decoded; copy it again") from error
    return (values - OFFSET).astype(np.int16)


def between(numbers: dict[int, Path], key: int, interval: float, offset_mm: float) -> tuple[int, int, float]:
    """Find the two slices around a distance from the key slice, and the weight of the farther one.

    Parameters
    ----------
    interval : mm between slices; 0 where unknown: the key slice is repeated.
    offset_mm : below 0 towards the head.

    Returns
    -------
    Nearer and farther slice number and the farther one's share. Where a slice is missing, the next one towards the key
    stands for it.
    """
    if interval <= 0:
        return key, key, 0.0
    steps = abs(offset_mm) / interval
    # 2 mm of 0.2 mm are ten steps, though not to the last digit.
    steps = round(steps) if abs(steps - round(steps)) < 1e-6 else steps
    near, share = math.floor(steps), steps - math.floor(steps)
    direction = 1 if offset_mm > 0 else -1
    return (
        _existing(numbers, key, near, direction),
        _existing(numbers, key, near + (share > 0), direction),
        share,
    )


def _existing(numbers: dict[int, Path], key: int, steps: int, direction: int) -> int:
    while steps > 0 and key + direction * steps not in numbers:
        steps -= 1
    return key + direction * steps
