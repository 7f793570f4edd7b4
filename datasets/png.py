"""Reading a slice's PNG: 16-bit grey, value = HU + 32768."""

from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint16]


MISSING = "missing"
MAX_PIXELS = 64 * 2**20
"""More than any slice has."""


class BadImage(ValueError):
    """The file is missing, damaged or not a 16-bit grey PNG."""


def read(path: Path | BinaryIO) -> Pixels:
    """Decode a slice, (rows, columns).

    Raises
    ------
    BadImage : with the reason, without the file's name.
    """
    try:
        with Image.open(path, formats=["PNG"]) as image:
            if image.width * image.height > MAX_PIXELS:
                raise BadImage("larger than any slice")
            if not image.mode.startswith("I;16"):
                raise BadImage("not a 16-bit grey image")
            return np.asarray(image, dtype=np.uint16)
    except FileNotFoundError:
        raise BadImage(MISSING) from None
    except BadImage:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        # Pillow reports damage in many ways; only the operating system's errors have a number.
        if isinstance(error, OSError) and error.errno:
            raise BadImage(f"cannot be read: {error.strerror}") from error
        raise BadImage("damaged or not a PNG file") from error
