"""Objects in a running Orthanc, and its addresses as sources."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from datasets.pacs.source import Query, Source, Study
from tests.datasets.pacs.dicom_files import ct_series
from tests.peers.orthanc import Orthanc


def web(orthanc: Orthanc) -> str:
    """Its DICOMweb address; the password belongs into DICOMWEB_PASSWORD."""
    return orthanc.web


def dimse(orthanc: Orthanc, options: str = "") -> str:
    """Its DIMSE address."""
    return orthanc.dimse + options


def moving(orthanc: Orthanc) -> str:
    """Its DIMSE address for C-MOVE."""
    return dimse(orthanc, orthanc.move)


def store(orthanc: Orthanc, *objects: Dataset) -> None:
    """Send datasets to it."""
    for each in objects:
        file = BytesIO()
        pydicom.dcmwrite(file, each, enforce_file_format=True)
        orthanc.request("/instances", file.getvalue())


def store_files(orthanc: Orthanc, paths: Iterable[Path]) -> None:
    """Send files to it as they are."""
    for path in paths:
        orthanc.request("/instances", path.read_bytes())


def own_study(count: int = 3, **changes: Any) -> list[Dataset]:
    """CT slices under UIDs that no other test uses; a short accession number of their own, too."""
    study = generate_uid()
    slices = ct_series(count, **{"AccessionNumber": f"A{study[-12:]}"} | changes | {"StudyInstanceUID": study})
    series, frame = generate_uid(), generate_uid()
    for slice_ in slices:
        slice_.SeriesInstanceUID, slice_.FrameOfReferenceUID = series, frame
        slice_.SOPInstanceUID = generate_uid()
    return slices


def found(source: Source, uid: str, query: Query | None = None) -> Study:
    """The study with a UID among those that the source lists."""
    (study,) = [each for each in source.studies(query or Query()) if each.StudyInstanceUID == uid]
    return study
