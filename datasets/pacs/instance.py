"""Header facts of one DICOM object: what listing, ordering and de-identifying need, and nothing that is large."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Any, Protocol, TypeVar

from pydicom.datadict import keyword_dict
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.tag import BaseTag

T = TypeVar("T")

DECODE_ERRORS = (
    AttributeError, LookupError, TypeError, ValueError, NotImplementedError, EOFError, OSError, RecursionError,
    BytesLengthException, struct.error,
)  # fmt: skip
"""What pydicom raises, at access, for values that it cannot decode."""

PLAIN_VRS = ("CS", "DS", "UI")
"""Text whose meaning no character set changes."""


class Header(Protocol):
    """Values by DICOM keyword: a pydicom dataset, or what stands for one."""

    def get(self, keyword: str, /) -> Any:
        """The value, a list where there are several; None where it is absent."""


class IncompleteHeader(ValueError):
    """The object lacks an identifier without which it cannot be placed."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One DICOM object as its source lists it; attributes are named by DICOM's keywords. "" or None where absent."""

    SOPClassUID: str
    SOPInstanceUID: str
    StudyInstanceUID: str
    SeriesInstanceUID: str
    Modality: str
    PatientID: str
    IssuerOfPatientID: str
    PatientSex: str
    PatientAge: str
    PatientBirthDate: str
    PatientPosition: str
    AccessionNumber: str
    StudyDate: str
    FrameOfReferenceUID: str
    ImageType: tuple[str, ...]
    BurnedInAnnotation: str
    LossyImageCompression: str
    ConvolutionKernel: tuple[str, ...]
    KVP: float | None
    SliceThickness: float | None
    SpacingBetweenSlices: float | None
    WindowCenter: tuple[float, ...]
    WindowWidth: tuple[float, ...]
    InstanceNumber: int | None
    Rows: int | None
    Columns: int | None
    NumberOfFrames: int | None
    ImagePositionPatient: tuple[float, ...]
    ImageOrientationPatient: tuple[float, ...]
    PixelSpacing: tuple[float, ...]
    locator: str
    """Where the source finds the object again: a path below its root, a URL; never shown to the public."""
    contested: bool = False
    """Another object has its SOPInstanceUID and lies elsewhere: which of them a mark names, nobody knows."""


def from_dataset(dataset: Header, locator: str) -> Instance:
    """Take the header facts out of a dataset; values that cannot be decoded count as absent.

    Raises
    ------
    IncompleteHeader : a UID of class, instance, study or series is missing.
    """
    values = facts_of(dataset, HEADER_KEYWORDS)
    for keyword in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        if not values[keyword]:
            raise IncompleteHeader(f"its header holds no {keyword}")
    return Instance(**values, locator=locator)


def facts_of(dataset: Header, keywords: Iterable[str]) -> dict[str, Any]:
    """Some header facts by keyword, as `Instance` holds them."""
    return {keyword: _CONVERTERS[keyword](plain_value_of(dataset, keyword)) for keyword in keywords}


def value_of(dataset: Header, keyword: str) -> Any:
    """A value, or None where it is absent or cannot be decoded."""
    try:
        return dataset.get(keyword)
    except DECODE_ERRORS:
        return None


def plain_value_of(dataset: Header, keyword: str) -> Any:
    """As `value_of`, but plain text and numbers in place of pydicom's values, which take ten times as long to make."""
    element = dataset.get_item(BaseTag(keyword_dict[keyword])) if isinstance(dataset, Dataset) else None
    if not isinstance(element, RawDataElement) or not element.value:
        return value_of(dataset, keyword)
    if element.VR == "US" and len(element.value) == 2:
        return int.from_bytes(element.value, "little" if element.is_little_endian else "big")
    if element.VR not in PLAIN_VRS:
        return value_of(dataset, keyword)
    parts = [part.strip(" \0") for part in element.value.decode("latin-1").split("\\")]
    return parts if len(parts) > 1 else parts[0]


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip(" \0")


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(_text(part) for part in _parts(value))


def _number(value: Any) -> float | None:
    numbers = _numbers(value)
    return numbers[0] if numbers else None


def _numbers(value: Any) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in _parts(value))
    except (TypeError, ValueError):
        return ()


def _whole(value: Any) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number == number and abs(number) < 2**53 else None


def _parts(value: Any) -> list[Any]:
    if value is None or value == "":
        return []
    return list(value) if not isinstance(value, str) and hasattr(value, "__iter__") else [value]


_BY_TYPE: dict[str, Callable[[Any], Any]] = {
    "str": _text,
    "tuple[str, ...]": _texts,
    "float | None": _number,
    "tuple[float, ...]": _numbers,
    "int | None": _whole,
}

_OURS = ("locator", "contested")

_CONVERTERS = {field.name: _BY_TYPE[str(field.type)] for field in fields(Instance) if field.name not in _OURS}

HEADER_KEYWORDS = tuple(_CONVERTERS)
"""The keywords that `from_dataset` reads."""

HEADER_TAGS = tuple(keyword_dict[keyword] for keyword in _CONVERTERS)
"""The tags that `from_dataset` reads."""
