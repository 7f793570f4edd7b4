"""What goes wrong with a real PACS, from its answers to the report's page, JSON and CSV; other studies go on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from datasets.models import Lesion
from tests.datasets.pacs.archive import own_study, store
from tests.datasets.pacs.dicom_files import bidimensional, report
from tests.harvesting import harvest, reported
from tests.peers.needed import needed
from tests.peers.orthanc import Orthanc, private_orthanc

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_data")]

SLICES = 5


@pytest.fixture(scope="module")
def strict() -> Iterator[Orthanc]:
    """A PACS that cares for the title by which it is called, and cuts every list after few entries."""
    with needed(private_orthanc({"DicomCheckCalledAet": True, "LimitFindInstances": SLICES - 1})) as server:
        yield server


@pytest.fixture(autouse=True)
def _password(orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICOMWEB_PASSWORD", orthanc.password)


def marked(**changes: Any) -> list[Dataset]:
    """Five slices whose second is marked."""
    slices = own_study(SLICES, **changes)
    shared = {key: str(slices[0][key].value) for key in ("StudyInstanceUID", "PatientID", "AccessionNumber")}
    own = {key: generate_uid() for key in ("SeriesInstanceUID", "SOPInstanceUID")}
    return [*slices, report(bidimensional(slices[1].SOPInstanceUID), **shared, **own)]


def listed(path: Path, *studies: list[Dataset]) -> str:
    """A file with the accession numbers of studies."""
    path.write_text("\n".join(str(study[0].AccessionNumber) for study in studies))
    return str(path)


@pytest.mark.parametrize("way", ["web", "dimse"])
def test_odd_studies_are_named_and_the_others_go_on(orthanc: Orthanc, tmp_path: Path, way: str) -> None:
    good, gap, contradictory, huge = marked(), marked(), marked(SpacingBetweenSlices=1.0), marked(Rows=60_000)
    for slice_ in huge[:-1]:
        slice_.Columns = 60_000
    del gap[3]
    store(orthanc, *good, *gap, *contradictory, *huge)
    wanted = listed(tmp_path / "list", good, gap, contradictory, huge)
    code, _, err = harvest(getattr(orthanc, way), accessions=wanted)
    assert code == 1
    assert reported() == {"NotOneSlice": SLICES}, err
    assert reported("noted") == {"MissingSlices": 1, "ContradictorySpacing": 1}
    assert Lesion.objects.count() == 3


def test_a_wrong_password_is_access_denied(orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICOMWEB_PASSWORD", "guessed")
    with pytest.raises(CommandError, match=r"does not let us in \(HTTP 401\)"):
        harvest(orthanc.web)
    assert reported() == {"AccessDenied": 1}


def test_a_wrong_root_is_told(orthanc: Orthanc) -> None:
    with pytest.raises(CommandError, match="no DICOMweb at this address"):
        harvest(orthanc.web.replace("dicom-web", "wado"))
    assert reported() == {"SourceNotFound": 1}


@pytest.mark.parametrize("scheme", [("dicomweb+http", "dicomweb+https"), ("dimse", "dimse+tls")])
def test_a_server_without_tls_is_told(orthanc: Orthanc, scheme: tuple[str, str]) -> None:
    address = (orthanc.web if "http" in scheme[0] else orthanc.dimse).replace(*scheme)
    with pytest.raises(CommandError, match="Nothing was harvested"):
        harvest(address)
    assert reported() == {"TlsFailure": 1}


def test_a_wrong_title_is_access_denied(strict: Orthanc) -> None:
    with pytest.raises(CommandError, match="it is not called WRONG"):
        harvest(strict.dimse.replace("ORTHANC", "WRONG"))
    assert reported() == {"AccessDenied": 1}


@pytest.mark.parametrize("way", ["web", "dimse"])
def test_a_list_that_the_server_cut_is_a_truncated_answer(
    strict: Orthanc, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setenv("DICOMWEB_PASSWORD", strict.password)
    whole = marked()
    store(strict, *whole)
    assert harvest(getattr(strict, way))[0] == 1
    assert set(reported()) == {"TruncatedAnswer"}
    assert not Lesion.objects.exists()
