"""A DIMSE server that lists no more than it must: neither modalities of studies nor where slices lie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import evt

from datasets.models import Annotation, Lesion
from tests.datasets.pacs.test_dimse import provider
from tests.datasets.pacs.test_export import COLUMNS, line
from tests.harvesting import harvest
from tests.workers.three_studies import BAD, hospital

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_data")]

LISTED = {
    "STUDY": ("StudyInstanceUID", "PatientID", "StudyDate", "AccessionNumber"),
    "SERIES": ("SeriesInstanceUID", "Modality"),
    "IMAGE": ("SOPInstanceUID", "SOPClassUID", "SeriesInstanceUID", "StudyInstanceUID", "InstanceNumber"),
}
"""DICOM PS3.4 C.6.2.1: required keys, and the SOP class, which nearly all give."""


@pytest.fixture
def sent() -> list[str]:
    """The objects that were sent, by UID."""
    return []


@pytest.fixture
def pacs(sent: list[str]) -> Iterator[str]:
    """Three studies; the report of the second is missing."""
    objects = [each for each in hospital(AccessionNumber="ACC2") if each.SOPInstanceUID != f"{BAD}.9.1"]

    def find(event: evt.Event) -> Iterator[tuple[int, Dataset]]:
        asked = event.identifier
        keys = LISTED[asked.QueryRetrieveLevel]
        found: dict[str, Dataset] = {}
        for each in objects:
            # What it does not know as a key, such as ModalitiesInStudy, it ignores, as the standard has it.
            if all(not asked.get(key) or asked.get(key) == each.get(key) for key in ("AccessionNumber", *keys[:1])):
                above = [key for key in ("StudyInstanceUID", "SeriesInstanceUID") if asked.get(key)]
                if all(asked[key].value == each[key].value for key in above):
                    found.setdefault(str(each[keys[0]].value), each)
        for each in found.values():
            answer = Dataset()
            for key in keys:
                setattr(answer, key, each.get(key))
            yield 0xFF00, answer

    def get(event: evt.Event) -> Iterator[Any]:
        wanted = event.identifier.SOPInstanceUID
        wanted = [wanted] if isinstance(wanted, str) else list(wanted)
        chosen = [each for each in objects if each.SOPInstanceUID in wanted]
        sent.extend(each.SOPInstanceUID for each in chosen)
        yield len(chosen)
        for each in chosen:
            each.file_meta.MediaStorageSOPClassUID = each.SOPClassUID
            yield 0xFF00, each

    with provider(C_FIND=find, C_GET=get) as address:
        yield address


def test_no_slice_is_fetched_of_a_study_without_annotations(pacs: str, sent: list[str]) -> None:
    status, out, _ = harvest(pacs, dry_run=True)
    assert status == 0
    assert "3 studies, 2 with bookmarks" in out
    assert sent
    assert not [uid for uid in sent if uid.startswith(BAD)]
    assert harvest(pacs)[0] == 0
    assert Lesion.objects.count() == 2
    assert not [uid for uid in sent if uid.startswith(BAD)]


def test_studies_are_found_by_the_modality_of_their_annotations(pacs: str) -> None:
    assert "2 studies, 2 with bookmarks" in harvest(pacs, annotations="SR", dry_run=True)[1]
    assert "0 studies" in harvest(pacs, annotations="PR", dry_run=True)[1]
    assert harvest(pacs, annotations="SR")[0] == 0
    assert Lesion.objects.count() == 2


def test_a_file_that_marks_a_study_without_reports_finds_its_slices(pacs: str, tmp_path: Path) -> None:
    marks = tmp_path / "marks.csv"
    marks.write_text(f"{COLUMNS}\n{line(accession='ACC2')}\n")
    harvest(pacs, documents=[marks], accessions=str(listed(tmp_path)))
    assert [(each.carrier, each.reason) for each in Annotation.objects.all()] == [("export", "")]
    assert Lesion.objects.count() == 1


def listed(folder: Path) -> Path:
    """A list with the second study's accession number."""
    path = folder / "list.txt"
    path.write_text("ACC2\n")
    return path
