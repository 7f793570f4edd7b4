"""Three studies with one lesion each, of which a test breaks the second: the others must go on."""

from typing import Any

from pydicom.dataset import Dataset

from tests.datasets.pacs.dicom_files import bidimensional, ct, report

STUDIES = 3
BAD = "1.2.840.9.2"
"""The second of three studies."""


def study(uid: str, **changes: Any) -> list[Dataset]:
    """Five slices and a report that marks the third."""
    common = {"StudyInstanceUID": uid, "SeriesInstanceUID": f"{uid}.1", "PatientID": uid[-1]} | changes
    slices = [ct(z=5.0 * place, SOPInstanceUID=f"{uid}.1.{place}", **common) for place in range(5)]
    mark = bidimensional(slices[2].SOPInstanceUID)
    names = {"StudyInstanceUID": uid, "SeriesInstanceUID": f"{uid}.9", "SOPInstanceUID": f"{uid}.9.1"}
    return [*slices, report(mark, **names, PatientID=uid[-1])]


def hospital(**changes: Any) -> list[Dataset]:
    """Three studies; the changes are those of the second."""
    good = [each for number in (1, 3) for each in study(f"1.2.840.9.{number}")]
    return [*good, *study(BAD, **changes)]
