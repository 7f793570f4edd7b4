"""One hospital through a folder, DICOMweb, C-GET and C-MOVE: the same studies, headers, order and pixels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import (
    BasicTextSRStorage,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedCTImageStorage,
    EnhancedSRStorage,
    GrayscaleSoftcopyPresentationStateStorage,
    generate_uid,
)

from datasets.geometry.volume import Flips
from datasets.pacs import readers
from datasets.pacs.addresses import open_source
from datasets.pacs.instance import Instance
from datasets.pacs.pixels import encode_slice, grey_values
from datasets.pacs.series import CT_IMAGE
from datasets.pacs.source import Query, Source, Study, Unreadable
from tests.datasets.pacs.archive import dimse, found, moving, own_study, store, store_files, web
from tests.datasets.pacs.dicom_files import bidimensional, ct, report
from tests.datasets.pacs.test_pixels import GREY, SYNTAXES, in_syntax
from tests.peers.orthanc import Orthanc

ADDRESSES = {"dicomweb": web, "c-get": dimse, "c-move": moving}


@pytest.fixture(params=ADDRESSES)
def address(request: pytest.FixtureRequest, orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the address of the PACS by each protocol."""
    monkeypatch.setenv("DICOMWEB_PASSWORD", orthanc.password)
    return ADDRESSES[request.param](orthanc)


@pytest.fixture(scope="module")
def hospital(orthanc: Orthanc, phantom_hospital: Path) -> Path:
    """The files of the first three patients, which the PACS holds, too."""
    folder = phantom_hospital / "dicom"
    store_files(orthanc, (path for number in (1, 2, 3) for path in (folder / f"P{number:04d}").rglob("*.dcm")))
    return phantom_hospital


def accessions(hospital: Path) -> frozenset[str]:
    people = json.loads((hospital / "truth.json").read_text())["people"]
    return frozenset(study["accession"] for person in people[:3] for study in person["studies"])


Listed = list[tuple[Study, list[Instance]]]


def listed(source: Source, query: Query) -> Listed:
    return [(study, source.instances(study)) for study in source.studies(query)]


def without_places(studies: Listed) -> Listed:
    return [(study, [replace(instance, locator="") for instance in instances]) for study, instances in studies]


def contents(source: Source, studies: Listed) -> Iterator[tuple[str, str]]:
    """Each object's hash, of encoded pixels for CT: of a part of each series and of one series whole."""
    for number, (_, instances) in enumerate(studies):
        chosen = [each for each in instances if each.SeriesInstanceUID == instances[0].SeriesInstanceUID]
        for instance, dataset in source.read_all(instances[::3] if number else chosen):
            assert not isinstance(dataset, Unreadable), dataset
            if instance.SOPClassUID == CT_IMAGE:
                yield instance.SOPInstanceUID, encode_slice(dataset, Flips(columns=False, rows=False)).file_hash
            else:
                yield instance.SOPInstanceUID, hashlib.sha256(dataset.to_json().encode()).hexdigest()


def test_the_same_hospital_is_the_same_through_every_source(address: str, hospital: Path) -> None:
    query = Query(accession_numbers=accessions(hospital))
    folder, server = open_source(f"dir://{hospital / 'dicom'}"), open_source(address)
    there, here = listed(server, query), listed(folder, query)
    assert len(here) == len(query.accession_numbers) >= 4
    assert without_places(there) == without_places(here)
    assert dict(contents(server, there)) == dict(contents(folder, here))
    assert not server.problems


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
def test_objects_come_in_the_syntax_in_which_they_are_stored(
    address: str, syntax: str, orthanc: Orthanc, tmp_path: Path
) -> None:
    stored = pydicom.dcmread(in_syntax(syntax, tmp_path))
    stored.StudyInstanceUID, stored.SOPInstanceUID = generate_uid(), generate_uid()
    stored.file_meta.MediaStorageSOPInstanceUID = stored.SOPInstanceUID
    store(orthanc, stored)
    source = open_source(address)
    (instance,) = source.instances(found(source, stored.StudyInstanceUID))
    dataset = source.read(instance)
    assert dataset.file_meta.TransferSyntaxUID == syntax
    assert dataset.PixelData == stored.PixelData
    np.testing.assert_array_equal(grey_values(dataset), GREY)


@pytest.mark.parametrize(
    "sop_class",
    [
        EnhancedSRStorage, ComprehensiveSRStorage, Comprehensive3DSRStorage, BasicTextSRStorage,
        GrayscaleSoftcopyPresentationStateStorage, EnhancedCTImageStorage,
    ],
    ids=lambda uid: uid.name,
)  # fmt: skip
def test_reports_presentation_states_and_enhanced_images_come_over(
    address: str, sop_class: str, orthanc: Orthanc
) -> None:
    changes = {"SOPClassUID": sop_class, "StudyInstanceUID": generate_uid(), "SOPInstanceUID": generate_uid()}
    stored = ct(**changes) if sop_class == EnhancedCTImageStorage else report(bidimensional("1.2.3"), **changes)
    store(orthanc, stored)
    source = open_source(address)
    (instance,) = source.instances(found(source, stored.StudyInstanceUID))
    assert source.read(instance).SOPClassUID == sop_class


@pytest.mark.parametrize(("sop_class", "modality"), [("1.3.12.2.1107.5.9.1", "SR"), ("1.3.46.670589.2.5.1.1", "PR")])
def test_a_report_of_a_makers_own_class_is_no_less_an_annotation(
    address: str, sop_class: str, modality: str, orthanc: Orthanc
) -> None:
    changes = {"SOPClassUID": sop_class, "Modality": modality}
    stored = report(StudyInstanceUID=generate_uid(), SOPInstanceUID=generate_uid(), **changes)
    store(orthanc, stored)
    source = open_source(address)
    (instance,) = source.instances(found(source, stored.StudyInstanceUID))
    assert readers.is_annotation(instance)
    assert readers.unsupported(instance) is not None


def test_a_report_without_patient_joins_the_study_that_its_accession_number_names(
    address: str, orthanc: Orthanc
) -> None:
    slices = own_study()
    study = slices[0].StudyInstanceUID
    mark = bidimensional(slices[1].SOPInstanceUID)
    # As OHIF 2 writes it; Orthanc then takes it for the study of another patient.
    loose = report(mark, StudyInstanceUID=study, SOPInstanceUID=generate_uid(), PatientID="", AccessionNumber="")
    store(orthanc, loose, *slices)
    source = open_source(address)
    (listed_study,) = source.studies(Query(accession_numbers=frozenset([slices[0].AccessionNumber])))
    assert (listed_study.PatientID, listed_study.ModalitiesInStudy) == ("4711", ("CT", "SR"))
    assert listed_study.NumberOfStudyRelatedInstances == 4
    instances = source.instances(listed_study)
    (annotation,) = filter(readers.is_annotation, instances)
    assert readers.read(source.read(annotation))[0].image == slices[1].SOPInstanceUID


@pytest.mark.parametrize("accession", ["A 1", "A/1", "A+1", "A^1", "Ä1", "A*1", "A\\1", "A%201"])
def test_accession_numbers_with_special_characters_are_found(address: str, accession: str, orthanc: Orthanc) -> None:
    number = f"{accession}{generate_uid()[-8:]}"
    # A backslash stands between values, so no accession number holds one; such a list item finds nothing.
    stored = own_study(1, AccessionNumber=number.replace("\\", ""), SpecificCharacterSet="ISO_IR 100")
    store(orthanc, *stored)
    source = open_source(address)
    uids = [study.StudyInstanceUID for study in source.studies(Query(accession_numbers=frozenset([number])))]
    if "\\" in number:
        assert not uids
        assert [problem.place for problem in source.problems] == [number]
    else:
        assert uids == [stored[0].StudyInstanceUID]
        assert not source.problems


def test_an_accession_number_that_no_study_has_is_named(address: str) -> None:
    source = open_source(address)
    assert list(source.studies(Query(accession_numbers=frozenset(["NOSUCH1", "NO SUCH/2"])))) == []
    assert [problem.place for problem in source.problems] == ["NO SUCH/2", "NOSUCH1"]


def test_an_image_whose_list_entry_hides_burned_in_text_is_refused_when_it_arrives(
    address: str, orthanc: Orthanc
) -> None:
    stored = own_study(1, BurnedInAnnotation="YES")
    store(orthanc, *stored)
    source = open_source(address)
    (instance,) = source.instances(found(source, stored[0].StudyInstanceUID))
    with pytest.raises(Unreadable, match="burned-in"):
        source.read(replace(instance, BurnedInAnnotation=""))


def test_an_object_that_vanished_stops_only_itself(address: str, orthanc: Orthanc) -> None:
    stored = own_study(3)
    store(orthanc, *stored)
    source = open_source(address)
    instances = source.instances(found(source, stored[0].StudyInstanceUID))
    gone = replace(instances[1], SOPInstanceUID=generate_uid())
    outcomes = dict(source.read_all([instances[0], gone, instances[2]]))
    assert len(outcomes) == 3
    assert [instance for instance, outcome in outcomes.items() if isinstance(outcome, Unreadable)] == [gone]
    with pytest.raises(Unreadable, match=r"\w+ \w+"):
        source.read(gone)
