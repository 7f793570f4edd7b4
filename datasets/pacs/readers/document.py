"""Annotations in documents: AIM XML and exports of bookmarks, as files or as a PACS stores encapsulated documents."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree.ElementTree import Element

from pydicom.dataset import Dataset

from datasets.pacs.instance import value_of
from datasets.pacs.readers import aim, export
from datasets.pacs.readers.bookmark import Bookmark, Carrier, Reason, Tool
from datasets.pacs.readers.export import NoExport, Row
from datasets.pacs.readers.markup import NoXml, name_of, parsed
from datasets.pacs.readers.spreadsheet import NoTable, begins_with

ENCAPSULATED_XML = "1.2.840.10008.5.1.4.1.1.104.2"
"""Encapsulated CDA Storage, the class in which DICOM carries XML documents."""


class NoAnnotations(ValueError):
    """The document is of no kind that is read; one phrase says why."""


@dataclass(frozen=True, slots=True)
class Aim:
    """An AIM document."""

    root: Element


@dataclass(frozen=True, slots=True)
class Export:
    """Rows of an export."""

    rows: list[Row]


def opened(data: bytes) -> Aim | Export:
    """Tell what a document is.

    Raises
    ------
    NoAnnotations : none of them.
    """
    try:
        if not begins_with(data, "<"):
            return Export(export.rows_of_csv(data))
        root = parsed(data)
        if name_of(root) in aim.ROOTS:
            return Aim(root)
        return Export(export.rows_of_xml(root))
    except (NoXml, NoExport, NoTable) as error:
        raise NoAnnotations(str(error)) from None


def read_document(dataset: Dataset) -> list[Bookmark]:
    """Read the document in an encapsulated object."""
    report, study = str(dataset.SOPInstanceUID), str(value_of(dataset, "StudyInstanceUID") or "")
    data = value_of(dataset, "EncapsulatedDocument")
    try:
        document = opened(data.rstrip(b"\0") if isinstance(data, bytes) else b"")
    except NoAnnotations as error:
        detail = f"a document that is not read: {error}"
        return [Bookmark(report, "", Tool.OTHER, Carrier.OTHER, reason=Reason.UNSUPPORTED_OBJECT, detail=detail)]
    if isinstance(document, Aim):
        return aim.read_aim(document.root, report, study)
    accession = str(value_of(dataset, "AccessionNumber") or "").strip()
    return export.read_rows([row for row in document.rows if row.get(export.ACCESSION) == accession], report)
