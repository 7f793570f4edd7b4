"""Readers: what turns an annotation object into bookmarks, one reader per kind of object.

No object is passed over in silence: what no reader understands becomes one bookmark that says so.
"""

from collections.abc import Callable

from pydicom.dataset import Dataset

from datasets.pacs.instance import Instance, value_of
from datasets.pacs.readers.bookmark import Bookmark, Carrier, Code, Reason, Reference, Tool
from datasets.pacs.readers.document import ENCAPSULATED_XML, read_document
from datasets.pacs.readers.presentation import read_presentation
from datasets.pacs.readers.report import read_report

__all__ = [
    "Bookmark",
    "Carrier",
    "Code",
    "Reason",
    "Reference",
    "Tool",
    "is_annotation",
    "is_annotation_class",
    "read",
    "undecodable",
    "unsupported",
]

_STORAGE = "1.2.840.10008.5.1.4.1.1."

NOT_ANNOTATIONS = frozenset(
    _STORAGE + suffix
    for suffix in (
        "88.40",  # procedure log
        "88.67",  # X-ray radiation dose
        "88.68",  # radiopharmaceutical radiation dose
        "88.73",  # patient radiation dose
        "88.74",  # planned imaging agent administration
        "88.75",  # performed imaging agent administration
        "88.76",  # enhanced X-ray radiation dose
    )
)
"""Structured reports that machines write about themselves."""

_READERS: dict[str, Callable[[Dataset], list[Bookmark]]] = {
    "88.": read_report,
    "11.": read_presentation,
    ENCAPSULATED_XML.removeprefix(_STORAGE): read_document,
}
"""Reader by the beginning of the SOP class's suffix."""

_UNSUPPORTED: dict[str, tuple[Carrier, str]] = {
    "66.2": (Carrier.OTHER, "a set of spatial fiducials"),
    "481.3": (Carrier.OTHER, "a radiotherapy structure set"),
    "66.4": (Carrier.OTHER, "a segmentation"),
    "66.5": (Carrier.OTHER, "a surface segmentation"),
    "66.7": (Carrier.OTHER, "a segmentation"),
    "88.50": (Carrier.SR, "a report of computer-aided detection"),
    "88.65": (Carrier.SR, "a report of computer-aided detection"),
    "88.69": (Carrier.SR, "a report of computer-aided detection"),
    "88.59": (Carrier.OTHER, "a key object selection"),
    "91.1": (Carrier.OTHER, "a microscopy annotation"),
}
"""Annotation objects that no reader understands, by the beginning of the SOP class's suffix."""

_CARRIERS = {"SR": Carrier.SR, "PR": Carrier.PR}
"""By Modality: makers keep reports and presentation states in classes of their own, too."""


def is_annotation(instance: Instance) -> bool:
    """Tell whether an object may hold what a person marked."""
    return is_annotation_class(instance.SOPClassUID, instance.Modality)


def is_annotation_class(uid: str, modality: str) -> bool:
    """Tell so from the object's SOPClassUID or, where that says nothing, from its Modality."""
    if uid in NOT_ANNOTATIONS:
        return False
    return modality in _CARRIERS or any(map(_suffix(uid).startswith, (*_READERS, *_UNSUPPORTED)))


def unsupported(instance: Instance) -> Bookmark | None:
    """The bookmark that stands for an annotation object of a class that is not read; None for any that is."""
    return _unsupported(instance.SOPInstanceUID, instance.SOPClassUID, instance.Modality)


def read(dataset: Dataset) -> list[Bookmark]:
    """Read every annotation of one object for which `is_annotation` holds.

    At least one bookmark comes back, except from a presentation state that draws nothing.
    """
    sop_class = str(dataset.SOPClassUID)
    refused = _unsupported(str(dataset.SOPInstanceUID), sop_class, str(value_of(dataset, "Modality") or ""))
    if refused is not None:
        return [refused]
    return next(reader for start, reader in _READERS.items() if _suffix(sop_class).startswith(start))(dataset)


def undecodable(instance: Instance, detail: str) -> Bookmark:
    """The bookmark that stands for an annotation object which its source could not give."""
    carrier = _CARRIERS.get(instance.Modality, Carrier.OTHER)
    return _refused(instance.SOPInstanceUID, carrier, Reason.UNDECODABLE, detail)


def _unsupported(report: str, sop_class: str, modality: str) -> Bookmark | None:
    suffix = _suffix(sop_class)
    for start, (carrier, name) in _UNSUPPORTED.items():
        if suffix.startswith(start):
            return _refused(report, carrier, Reason.UNSUPPORTED_OBJECT, f"{name} is not read")
    if any(map(suffix.startswith, _READERS)):
        return None
    carrier = _CARRIERS.get(modality, Carrier.OTHER)
    return _refused(report, carrier, Reason.UNSUPPORTED_OBJECT, "objects of its class are not read")


def _refused(report: str, carrier: Carrier, reason: Reason, detail: str) -> Bookmark:
    return Bookmark(report=report, item="", tool=Tool.OTHER, carrier=carrier, reason=reason, detail=detail)


def _suffix(sop_class: str) -> str:
    return sop_class.removeprefix(_STORAGE) if sop_class.startswith(_STORAGE) else ""
