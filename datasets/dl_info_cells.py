"""Cells of DL_info.csv: what turns the text of each column into a value, or says why it cannot.

Every function takes the text of one cell and raises ValueError with a reason in the reader's words.
"""

import math
import re
from collections.abc import Callable, Sequence

LIMIT = 1e6
"""No coordinate, length, window or slice number comes near it."""

Numbers = tuple[float, ...]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text[:40]!r} is not a number") from None


def _numbers(text: str, count: int) -> Numbers:
    try:
        numbers = tuple(map(float, text.split(",")))
    except ValueError:
        numbers = tuple(_number(part) for part in re.split(r"[,\s]+", text.strip("[] \t")) if part)
    if len(numbers) != count:
        raise ValueError(f"{count} numbers expected, {len(numbers)} found")
    return numbers


def _finite(text: str, count: int) -> Numbers:
    numbers = _numbers(text, count)
    # The sum is NaN as soon as one number is.
    if not (min(numbers) > -LIMIT and max(numbers) < LIMIT and sum(numbers) < math.inf):
        raise ValueError(f"{text[:80]!r} holds a value that is not finite or far too large")
    return numbers


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        value = _number(text)
        if not value.is_integer():
            raise ValueError(f"{text[:40]!r} is not a whole number") from None
        return int(value)


def index(text: str) -> int:
    """A number that counts from 1."""
    value = _whole(text)
    if not 1 <= value < LIMIT:
        raise ValueError(f"{text[:40]!r} is not an index counted from 1")
    return value


def flag(text: str) -> bool:
    """0 or 1."""
    return bool(_zero_or_one(text))


def points(text: str) -> Numbers:
    """The eight coordinates, 1-based in the text and 0-based as values."""
    return tuple([number - 1 for number in _finite(text, 8)])


def box(text: str) -> Numbers:
    """x1, y1, x2, y2; 0-based as values."""
    x1, y1, x2, y2 = _finite(text, 4)
    return x1 - 1, y1 - 1, x2 - 1, y2 - 1


def choice(choices: Sequence[int]) -> Callable[[str], int]:
    """Make the reader of a column that knows few codes."""

    def convert(text: str) -> int:
        value = _whole(text)
        if value not in choices:
            raise ValueError(f"{text[:40]!r} is not one of {', '.join(map(str, choices))}")
        return value

    return convert


def diameters(text: str) -> Numbers:
    """Long and short in pixels."""
    numbers = _finite(text, 2)
    if not numbers[0] >= numbers[1] > 0:
        raise ValueError(f"{text[:80]!r}: long >= short > 0 does not hold")
    return numbers


def location(text: str) -> Numbers | None:
    """x, y, z relative to the body; None where one is not known."""
    if text.strip().lower() in ("", "nan"):
        return None
    if "nan" in text.lower():
        _numbers(text, 3)
        return None
    place = _finite(text, 3)
    if not (min(place) >= 0 and max(place) <= 1):
        raise ValueError(f"{text[:80]!r} is not within the body, 0 to 1")
    return place


def _pair(text: str) -> tuple[int, int]:
    try:
        one, other = map(int, text.split(","))
    except ValueError:
        pass
    else:
        if -LIMIT < one < LIMIT and -LIMIT < other < LIMIT:
            return one, other
    first, second = _finite(text, 2)
    if not (first.is_integer() and second.is_integer()):
        raise ValueError(f"{text[:80]!r} is not two whole numbers")
    return int(first), int(second)


def slice_range(text: str) -> tuple[int, int]:
    """First and last slice."""
    first, last = _pair(text)
    if not 1 <= first <= last:
        raise ValueError(f"{text[:80]!r} is not a range of slices")
    return first, last


def spacing(text: str) -> Numbers:
    """Pixel spacing along x and y and slice interval in mm; the interval may be NaN."""
    x, y, interval = _numbers(text, 3)
    if not (0 < x < LIMIT and 0 < y < LIMIT and not abs(interval) >= LIMIT):
        raise ValueError(f"{text[:80]!r} is not a pixel spacing and slice interval")
    return x, y, interval


def interval(value: float) -> float | None:
    """A slice interval without its sign; None where it is not known."""
    return None if math.isnan(value) or value == 0 else abs(value)


def image_size(text: str) -> tuple[int, int]:
    """Columns and rows."""
    columns, rows = _pair(text)
    if columns < 1 or rows < 1:
        raise ValueError(f"{text[:80]!r} is not an image size")
    return columns, rows


def window(text: str) -> Numbers:
    """Low and high end in HU."""
    low, high = _finite(text, 2)
    if not low < high:
        raise ValueError(f"{text[:80]!r}: low < high does not hold")
    return low, high


def sex(text: str) -> str:
    """F, M or nothing."""
    sex = text.strip().upper()
    if sex in ("F", "M"):
        return sex
    if sex in ("", "NAN", "O", "U"):
        return ""
    raise ValueError(f"{text[:40]!r} is neither F nor M")


def age(text: str) -> int | None:
    """Whole years; None where it is not known."""
    if text.strip().lower() in ("", "nan"):
        return None
    value = _number(text)
    if not 0 <= value <= 130:
        raise ValueError(f"{text[:40]!r} is not an age in years")
    return int(value)


_zero_or_one = choice([0, 1])
