"""DICOMweb: what Orthanc does oddly, and what goes wrong, each with its named error."""

from __future__ import annotations

import json
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from dicomweb_client.web import DICOMwebClient
from pydicom.dataset import Dataset
from requests.exceptions import ChunkedEncodingError

from datasets.pacs import dicomweb, http
from datasets.pacs.addresses import open_source
from datasets.pacs.dicomweb import DicomwebSource
from datasets.pacs.instance import Instance
from datasets.pacs.source import (
    AccessDenied,
    BadAnswer,
    SourceError,
    SourceNotFound,
    SourceUnreachable,
    TlsFailure,
    TooLarge,
    TruncatedAnswer,
    Unreadable,
)
from tests.datasets.pacs.archive import found, own_study, store, web
from tests.datasets.pacs.dicom_files import ct_series, facts
from tests.datasets.pacs.web_server import JSON, Answer, send, serving
from tests.peers.orthanc import Orthanc
from tests.peers.process import free_port


def source_at(url: str) -> DicomwebSource:
    return DicomwebSource.open(f"dicomweb+{url}/dicom-web")


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    """Give the URL of a server that answers as the parameter says."""
    answer: Answer = request.param
    with serving(answer) as url:
        yield url


def status(number: int) -> Answer:
    return lambda handler: send(handler, b"", "text/plain", number)


def page(handler: BaseHTTPRequestHandler) -> None:
    send(handler, b"<html>Welcome</html>", "text/html")


def no_list(handler: BaseHTTPRequestHandler) -> None:
    send(handler, b"[1, 2]", JSON)


def short(handler: BaseHTTPRequestHandler) -> None:
    send(handler, b"[{}", JSON, length=5000)
    handler.close_connection = True


def huge(handler: BaseHTTPRequestHandler) -> None:
    send(handler, b"[", JSON, length=10 * 2**30)
    handler.close_connection = True


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", JSON)
    handler.end_headers()
    for _ in range(64):
        handler.wfile.write(b" " * 2**16)


def listing(handler: BaseHTTPRequestHandler) -> None:
    """A page as long as was asked for, the same whatever the offset."""
    size = int(parse_qs(urlsplit(handler.path).query)["limit"][0])
    entries = [{"0020000D": {"vr": "UI", "Value": [f"1.2.{number}"]}} for number in range(size)]
    send(handler, json.dumps(entries).encode(), JSON)


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


@pytest.mark.parametrize(
    ("server", "error", "words"),
    [
        (status(401), AccessDenied, "DICOMWEB_PASSWORD .* a worker that does the harvest must have in its own env"),
        (status(403), AccessDenied, "HTTP 403"),
        (status(404), SourceNotFound, "no DICOMweb at this address"),
        (status(500), BadAnswer, "HTTP 500"),
        (status(503), SourceUnreachable, "too busy"),
        (page, BadAnswer, "no DICOM JSON"),
        (no_list, BadAnswer, "no list"),
        (short, TruncatedAnswer, "ends too early"),
        (huge, TooLarge, "announces an answer of 10.0 GB"),
        (endless, TooLarge, "is larger than"),
        (listing, TruncatedAnswer, "same page"),
        (hang_up, SourceUnreachable, "connection broke"),
    ],
    indirect=["server"],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_failing_server_gets_its_named_error(
    server: str, error: type[SourceError], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "MAX_ANSWER_BYTES", 2**21)
    monkeypatch.setattr(http, "FIRST_WAIT_MS", 1)
    with pytest.raises(error, match=words) as caught:
        list(source_at(server).studies())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "words"),
    [("no-such-host.invalid:8042", "its name is not known"), ("127.0.0.1:{closed}", "nothing listens")],
)
def test_a_wrong_host_is_unreachable(host: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "FIRST_WAIT_MS", 1)
    with pytest.raises(SourceUnreachable, match=words):
        list(source_at(f"http://{host.format(closed=free_port())}").studies())


def test_a_server_that_stops_in_the_middle_of_an_answer_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "TIMEOUT_S", (5, 0.2))
    monkeypatch.setattr(http, "FIRST_WAIT_MS", 1)

    def stall(handler: BaseHTTPRequestHandler) -> None:
        send(handler, b"[", JSON, length=5000)
        handler.rfile.read(1)

    with serving(stall) as url, pytest.raises(SourceUnreachable, match="it stopped answering"):
        list(source_at(url).studies())


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "FIRST_WAIT_MS", 1)
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    options = ["-nodes", "-days", "2", "-subj", "/CN=localhost", "-newkey", "rsa:2048"]
    subprocess.run(
        ["openssl", "req", "-x509", *options, "-keyout", key, "-out", certificate], check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with serving(page, context) as url, pytest.raises(TlsFailure, match="certificate"):
        list(source_at(url).studies())


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize("content", [None, b"no certificate"], ids=["missing", "no certificate"])
def test_a_file_of_authorities_that_cannot_be_used_is_told_by_its_variable(
    name: str, content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setattr(http, "FIRST_WAIT_MS", 1)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.setenv(name, str(path))
    with pytest.raises(TlsFailure, match=f"^{name} names no file with certificates that can be read$"):
        list(source_at("https://127.0.0.1:9").studies())
    with pytest.raises(SourceUnreachable):
        list(source_at("http://127.0.0.1:9").studies())


def in_parts(body: bytes, closing: bytes = b"\r\n--cut--\r\n") -> bytes:
    return b"--cut\r\nContent-Type: application/dicom\r\n\r\n" + body + closing


def multipart(body: bytes) -> Answer:
    return lambda handler: send(handler, body, 'multipart/related; type="application/dicom"; boundary=cut')


@pytest.mark.parametrize(
    ("server", "words"),
    [
        (status(404), "does not hold it"),
        (status(500), "HTTP 500"),
        (multipart(in_parts(b"\0" * 128 + b"DICM" + b"x" * 50)), r"\w+ \w+"),
        (multipart(in_parts(b"no DICOM")), "no whole DICOM object"),
        (multipart(in_parts(b"no DICOM", b"")), "ends too early"),
        (page, "no whole DICOM object"),
        (huge, "10.0 GB"),
    ],
    indirect=["server"],
    ids=["gone", "failure", "damaged", "text", "cut", "page", "huge"],
)
def test_an_object_that_cannot_be_had_stops_only_itself(
    server: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "FIRST_WAIT_MS", 1)
    source = source_at(server)
    outcomes = [outcome for _, outcome in source.read_all(facts(*ct_series(3)))]
    assert all(isinstance(outcome, Unreadable) for outcome in outcomes)
    with pytest.raises(Unreadable, match=words):
        source.read(facts(*ct_series(1))[0])


def test_a_server_that_stops_mid_series_ends_the_study_not_in_holes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "FIRST_WAIT_MS", 1)
    with serving(hang_up) as url, pytest.raises(SourceUnreachable):
        list(source_at(url).read_all(facts(*ct_series(3))))


def test_a_series_that_comes_in_one_piece_is_filled_up_singly_where_it_broke_off(
    orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DICOMWEB_PASSWORD", orthanc.password)
    slices = own_study(6)
    store(orthanc, *slices)
    source = open_source(web(orthanc))
    assert isinstance(source, DicomwebSource)
    instances = source.instances(found(source, slices[0].StudyInstanceUID))
    singly: list[str] = []
    read = source.read
    monkeypatch.setattr(source, "read", lambda each: (singly.append(each.SOPInstanceUID), read(each))[1])
    assert len(dict(source.read_all(instances))) == 6
    assert not singly
    # One part may be no larger than two slices, which the third reaches only if the parts are added up.
    monkeypatch.setattr(http, "MAX_ANSWER_BYTES", 20_000)
    assert len(dict(source.read_all(instances))) == 6
    assert not singly
    whole = DICOMwebClient.iter_series

    def broken(client: DICOMwebClient, *names: str, **options: Any) -> Iterator[Dataset]:
        stream = whole(client, *names, **options)
        yield next(stream)
        yield next(stream)
        raise ChunkedEncodingError

    monkeypatch.setattr(DICOMwebClient, "iter_series", broken)
    outcomes = dict(source.read_all(instances))
    assert [isinstance(each, Dataset) for each in outcomes.values()] == [True] * 6
    assert len(singly) == 4


def test_fewer_objects_than_the_study_has_are_a_truncated_answer(
    orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DICOMWEB_PASSWORD", orthanc.password)
    slices = own_study(3)
    store(orthanc, *slices)
    source = open_source(web(orthanc))
    study = found(source, slices[0].StudyInstanceUID)
    assert study.NumberOfStudyRelatedInstances == 3
    with pytest.raises(TruncatedAnswer, match="3 of the 4 objects"):
        source.instances(replace(study, NumberOfStudyRelatedInstances=4))


def test_headers_that_qido_leaves_out_come_from_the_metadata(
    orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DICOMWEB_PASSWORD", orthanc.password)
    slices = own_study(3)
    store(orthanc, *slices)
    source = open_source(web(orthanc))
    study = found(source, slices[0].StudyInstanceUID)
    complete = source.instances(study)
    monkeypatch.setattr(dicomweb, "HEADER_KEYWORDS", ("SOPInstanceUID",))
    assert source.instances(study) == complete
    assert complete[0].ImagePositionPatient


def test_downloads_run_ahead_by_a_bounded_number(orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICOMWEB_PASSWORD", orthanc.password)
    monkeypatch.setattr(dicomweb, "AHEAD", 4)
    slices = own_study(50)
    store(orthanc, *slices)
    source = open_source(web(orthanc))
    assert isinstance(source, DicomwebSource)
    asked: list[str] = []
    read = source.read

    def counted(instance: Instance) -> Dataset:
        asked.append(instance.SOPInstanceUID)
        return read(instance)

    monkeypatch.setattr(source, "read", counted)
    instances = source.instances(found(source, slices[0].StudyInstanceUID))[:20]
    objects = source.read_all(instances)
    for done in range(1, 11):
        next(objects)
        assert len(asked) <= done + 4
    assert [instance.SOPInstanceUID for instance, _ in objects] == [i.SOPInstanceUID for i in instances[10:]]
