"""DIMSE over TLS, against Orthanc and against a provider of our own: whom we trust, who we are, what goes wrong."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind

from datasets.pacs.addresses import label_of, open_source
from datasets.pacs.source import BadAnswer, SourceUnreachable, TlsFailure
from tests.datasets.pacs.archive import dimse, found, moving, own_study, store
from tests.datasets.pacs.certificates import authority, certificate
from tests.datasets.pacs.dicom_files import ct_series, facts
from tests.datasets.pacs.test_dimse import provider
from tests.peers.needed import needed
from tests.peers.orthanc import Orthanc, private_orthanc
from tests.peers.process import free_port


@dataclass(frozen=True)
class Papers:
    """Files of certificates."""

    ca: Path
    server: tuple[Path, Path]
    ours: tuple[Path, Path]
    strange_ca: Path
    stranger: tuple[Path, Path]


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    folder = tmp_path_factory.mktemp("certificates")
    ca, strange = authority(folder / "known"), authority(folder / "strange")
    return Papers(
        ca,
        certificate(folder / "known", "server"),
        certificate(folder / "known", "harvest"),
        strange,
        certificate(folder / "strange", "stranger"),
    )


@pytest.fixture
def introduced(papers: Papers, monkeypatch: pytest.MonkeyPatch) -> Papers:
    """Put our own papers into the environment."""
    monkeypatch.setenv("DIMSE_TLS_CA", str(papers.ca))
    monkeypatch.setenv("DIMSE_TLS_CERTIFICATE", str(papers.ours[0]))
    monkeypatch.setenv("DIMSE_TLS_KEY", str(papers.ours[1]))
    return papers


@pytest.fixture(scope="module")
def secured(papers: Papers) -> Iterator[Orthanc]:
    """A PACS that speaks TLS alone, asks for our certificate, and sends to us over TLS."""
    move_port = free_port()
    modality = {"AET": "HARVEST", "Host": "127.0.0.1", "Port": move_port, "UseDicomTls": True}
    options = {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(papers.server[0]),
        "DicomTlsPrivateKey": str(papers.server[1]),
        "DicomTlsTrustedCertificates": str(papers.ca),
        "DicomModalities": {"HARVEST": modality},
    }
    with needed(private_orthanc(options, move_port)) as server:
        yield server


@contextmanager
def tls_provider(certificate_and_key: tuple[Path, Path]) -> Iterator[str]:
    """A provider with a certificate; gives its address."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate_and_key)
    entity = AE("PACS")
    entity.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
    port = free_port()
    server = entity.start_server(("127.0.0.1", port), block=False, ssl_context=context)
    try:
        yield f"dimse+tls://PACS@127.0.0.1:{port}"
    finally:
        server.shutdown()


def over_tls(address: str) -> str:
    return address.replace("dimse://", "dimse+tls://")


@pytest.mark.services
@pytest.mark.parametrize("way", [dimse, moving], ids=["c-get", "c-move"])
def test_objects_come_over_tls(way, secured: Orthanc, introduced: Papers) -> None:
    slices = own_study(3)
    store(secured, *slices)
    source = open_source(over_tls(way(secured)))
    instances = source.instances(found(source, slices[0].StudyInstanceUID))
    objects = dict(source.read_all(instances))
    assert len(objects) == 3
    assert all(isinstance(each, Dataset) for each in objects.values())


@pytest.mark.services
def test_a_server_that_asks_for_our_certificate_gets_none(
    secured: Orthanc, introduced: Papers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DIMSE_TLS_CERTIFICATE")
    with pytest.raises(TlsFailure, match="does not take our certificate"):
        list(open_source(over_tls(dimse(secured))).studies())
    with pytest.raises(TlsFailure, match="we need DIMSE_TLS_CERTIFICATE"):
        open_source(over_tls(moving(secured))).read(facts(*ct_series(1))[0])


@pytest.mark.services
def test_a_server_that_speaks_tls_alone_is_told_from_a_broken_one(secured: Orthanc) -> None:
    with pytest.raises(BadAnswer, match="does not speak DICOM, or hangs up"):
        list(open_source(dimse(secured)).studies())


def test_a_certificate_that_nobody_we_know_vouches_for_is_refused(introduced: Papers) -> None:
    with (
        tls_provider(introduced.stranger) as address,
        pytest.raises(TlsFailure, match="no secure connection to the server: unable"),
    ):
        list(open_source(address).studies())


def test_a_server_without_tls_is_named(introduced: Papers) -> None:
    with provider() as address, pytest.raises(TlsFailure, match="does not speak TLS as we do"):
        list(open_source(over_tls(address)).studies())


def test_orthanc_without_tls_hangs_up_and_is_named(orthanc: Orthanc, introduced: Papers) -> None:
    with pytest.raises(TlsFailure, match="does not speak TLS as we do"):
        list(open_source(over_tls(dimse(orthanc))).studies())


def test_a_wrong_host_is_unreachable_over_tls_as_well(introduced: Papers) -> None:
    with pytest.raises(SourceUnreachable, match="nothing listens"):
        list(open_source(f"dimse+tls://PACS@127.0.0.1:{free_port()}").studies())


@pytest.mark.parametrize(
    ("variable", "words"), [("DIMSE_TLS_CA", "names no file with certificates"), ("DIMSE_TLS_KEY", "and its key")]
)
def test_a_file_that_is_none_is_told_by_its_variable(
    variable: str, words: str, introduced: Papers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "/no/such/file")
    with pytest.raises(TlsFailure, match=words):
        list(open_source("dimse+tls://PACS@127.0.0.1:104").studies())


def test_the_label_says_that_it_is_secured() -> None:
    address = "dimse+tls://PACS@pacs.example:2762?aet=US"
    assert label_of(address) == open_source(address).label == "dimse+tls://PACS@pacs.example:2762"
