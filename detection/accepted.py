"""Which values the commands take: what makes no sense is refused in one sentence before any work is begun."""

import argparse
import math

LARGEST_SEED = 2**31 - 1


def share(text: str) -> float:
    """A part of a whole, above 0."""
    value = _number(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is no number above 0 and at most 1")
    return value


def above_zero(text: str) -> float:
    """A length, a rate or a time."""
    value = _number(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no number above 0")
    return value


def below_one(text: str) -> float:
    """A part of a whole; none, too."""
    value = _number(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number from 0 to below 1")
    return value


def at_least_zero(text: str) -> float:
    """A length; none, too."""
    value = _number(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no number from 0 up")
    return value


def positive(text: str) -> int:
    """How many, at least one."""
    return _whole(text, 1)


def count(text: str) -> int:
    """How many; none, too."""
    return _whole(text, 0)


def seed(text: str) -> int:
    """What random draws start from: numpy takes none below 0, and torch no large ones multiplied by the epoch's."""
    value = _whole(text, 0)
    if value > LARGEST_SEED:
        raise argparse.ArgumentTypeError(f"{text} is above {LARGEST_SEED}")
    return value


def _whole(text: str, least: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise argparse.ArgumentTypeError(f"{text} is no whole number from {least} up")
    return value


def _number(text: str) -> float:
    """NaN where it is none, which no comparison holds for."""
    try:
        return float(text)
    except ValueError:
        return math.nan
