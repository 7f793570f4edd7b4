"""Several objects of one SOPInstanceUID: copies of one, or different ones, so that nobody knows which a mark names."""

from collections.abc import Sequence
from dataclasses import replace
from operator import sub

from datasets.pacs.instance import Instance

PLACING = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
"""What decides on which slice a mark lies, and how large it is."""

SAME = 1e-3
"""Servers may round what they list, and writers what they copy."""


def one_of(copies: Sequence[Instance]) -> Instance:
    """Of copies the one with the fullest header, then the first; contested where they differ in place or series."""
    if len(copies) == 1:
        return copies[0]
    chosen = max(copies, key=_stated_facts)
    return replace(chosen, contested=True) if any(_differ(chosen, each) for each in copies) else chosen


def differ(one: Sequence[float], other: Sequence[float]) -> bool:
    """Tell whether numbers are others, and not the same ones rounded."""
    return len(one) != len(other) or max(map(abs, map(sub, one, other)), default=0.0) > SAME


def _differ(one: Instance, other: Instance) -> bool:
    """What one of them does not state proves nothing."""
    if one.SeriesInstanceUID != other.SeriesInstanceUID:
        return True
    frames = {one.FrameOfReferenceUID, other.FrameOfReferenceUID} - {""}
    places = [(getattr(one, keyword), getattr(other, keyword)) for keyword in PLACING]
    return len(frames) > 1 or any(here and there and differ(here, there) for here, there in places)


def _stated_facts(instance: Instance) -> int:
    return sum(getattr(instance, name) not in ("", None, ()) for name in Instance.__slots__)
