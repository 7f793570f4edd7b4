"""What a real PACS does that a reader of the standard would not expect, and what comes of it here."""

from __future__ import annotations

import json

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from datasets.pacs import readers
from datasets.pacs.addresses import open_source
from datasets.pacs.readers import Reason, Tool
from datasets.pacs.source import Query
from tests.datasets.pacs.archive import found, own_study, store, web
from tests.datasets.pacs.dicom_files import bidimensional, report
from tests.datasets.pacs.web_archive import archive
from tests.peers.orthanc import Orthanc


@pytest.fixture(autouse=True)
def _password(orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICOMWEB_PASSWORD", orthanc.password)


def test_a_retrieve_url_without_its_port_is_not_followed() -> None:
    slices = own_study(2)
    with archive(slices, retrieve_url="http://127.0.0.1/dicom-web") as address:
        source = open_source(address)
        instances = source.instances(found(source, slices[0].StudyInstanceUID))
        assert isinstance(source.read(instances[0]), Dataset)
        assert all(isinstance(each, Dataset) for _, each in source.read_all(instances))


def test_a_search_for_a_value_that_needs_percent_signs_finds_nothing_at_the_server(orthanc: Orthanc) -> None:
    number = f"A 1{generate_uid()[-8:]}"
    slices = own_study(1, AccessionNumber=number)
    store(orthanc, *slices)
    encoded = number.replace(" ", "%20")
    assert json.loads(orthanc.request(f"/dicom-web/studies?AccessionNumber={encoded}")) == [], "the quirk is there"
    source = open_source(web(orthanc))
    studies = list(source.studies(Query(accession_numbers=[number])))
    assert [study.StudyInstanceUID for study in studies] == [slices[0].StudyInstanceUID]


def test_an_anonymised_copy_whose_report_was_emptied_says_so_and_gives_no_lesion(orthanc: Orthanc) -> None:
    slices = own_study(1)
    mark = bidimensional(slices[0].SOPInstanceUID)
    names = {"StudyInstanceUID": slices[0].StudyInstanceUID, "SOPInstanceUID": generate_uid()}
    written = report(mark, **names, PatientID=slices[0].PatientID)
    store(orthanc, *slices, written)
    (answer,) = json.loads(orthanc.request("/tools/lookup", names["StudyInstanceUID"].encode()))
    body = json.dumps({"Synchronous": True}).encode()
    copy = json.loads(orthanc.request(f"/studies/{answer['ID']}/anonymize", body))["ID"]
    uid = json.loads(orthanc.request(f"/studies/{copy}"))["MainDicomTags"]["StudyInstanceUID"]
    source = open_source(web(orthanc))
    (annotation,) = filter(readers.is_annotation, source.instances(found(source, uid)))
    (bookmark,) = readers.read(source.read(annotation))
    assert bookmark.tool is not Tool.BIDIMENSIONAL
    assert bookmark.reason in (Reason.UNSUPPORTED_OBJECT, Reason.NOT_RECIST)
    assert bookmark.detail
