"""How exactly measured numbers are given: digits after the point for each unit, the same in JSON and in CSV.

The database keeps what was measured or computed. A table of lesions that repeats sixteen digits of a mark that a hand
made to half a pixel is hard to read and says nothing more. `DL_info.csv` has a format of its own and is not touched.
"""

PIXELS = 3
MILLIMETRES = 3
"""Whole micrometres, by which sizes are filtered and ordered too."""
SPACING = 6
"""mm per pixel: scanners state 0.488281."""
HOUNSFIELD = 1
BODY = 4
"""A share of the body's width, depth or length."""


def rounded(value: float | None, digits: int) -> float | None:
    """Round what was measured; None stays None."""
    return None if value is None else round(value, digits)
