"""DICOMweb: what a server is asked, with which secrets, and how its lists are read."""

from __future__ import annotations

import json
from datetime import date
from http.server import BaseHTTPRequestHandler
from threading import Barrier
from urllib.parse import parse_qs, urlsplit

import pytest

from datasets.pacs import dicomweb
from datasets.pacs.addresses import open_source
from datasets.pacs.dicomweb import DicomwebSource
from datasets.pacs.source import (
    BadAddress,
    Query,
    Study,
    TruncatedAnswer,
)
from tests.datasets.pacs.web_server import JSON, send, serving


def source_at(url: str) -> DicomwebSource:
    return DicomwebSource.open(f"dicomweb+{url}/dicom-web")


class Recording:
    """A server that keeps what it was asked."""

    def __init__(self, *entries: dict[str, object]) -> None:
        self.entries = list(entries)
        self.requests: list[tuple[str, dict[str, str]]] = []

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        self.requests.append((handler.path, dict(handler.headers)))
        offset = int(parse_qs(urlsplit(handler.path).query).get("offset", ["0"])[0])
        # One entry at a time, whatever the limit that was asked for.
        send(handler, json.dumps(self.entries[offset : offset + 1]).encode(), JSON)


def test_pages_are_asked_for_until_one_is_empty() -> None:
    server = Recording(*({"0020000D": {"vr": "UI", "Value": [f"1.2.{number}"]}} for number in (3, 1, 2)))
    with serving(server) as url:
        assert [study.StudyInstanceUID for study in source_at(url).studies()] == ["1.2.1", "1.2.2", "1.2.3"]
    assert len(server.requests) == 4


def test_the_modality_of_an_object_is_that_of_its_series() -> None:
    named = {key: {"vr": "UI", "Value": [f"1.{key[-1]}"]} for key in ("0020000D", "0020000E")}
    of_object = {
        "00080018": {"vr": "UI", "Value": ["1.8"]},
        "00080016": {"vr": "UI", "Value": ["1.3.12.2.1107.5.9.1"]},
    }

    def answer(handler: BaseHTTPRequestHandler) -> None:
        offset = int(parse_qs(urlsplit(handler.path).query)["offset"][0])
        modality = {"00080060": {"vr": "CS", "Value": ["SR"]}}
        listed = {**named, **(modality if urlsplit(handler.path).path.endswith("/series") else of_object)}
        send(handler, json.dumps([listed][offset:]).encode(), JSON)

    with serving(answer) as url:
        (instance,) = source_at(url).instances(Study("1.D", "", "", "", "", (), 0))
    assert (instance.SOPInstanceUID, instance.Modality) == ("1.8", "SR")


@pytest.mark.parametrize("given", [2, 3, 5, 9], ids=lambda given: f"{given} instead of 3 at once")
def test_a_study_s_list_comes_whole_however_many_the_server_gives_at_once(
    given: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dicomweb, "PAGE", 3)
    names = ("0020000D", "0020000E", "00080018", "00080016")
    listed = [{key: {"vr": "UI", "Value": [f"1.{number}"]} for key in names} for number in range(8)]

    def answer(handler: BaseHTTPRequestHandler) -> None:
        offset = int(parse_qs(urlsplit(handler.path).query)["offset"][0])
        send(handler, json.dumps(listed[offset : offset + given]).encode(), JSON)

    with serving(answer) as url:
        instances = source_at(url).instances(Study("1.0", "", "", "", "", (), len(listed)))
    assert [each.SOPInstanceUID for each in instances] == [f"1.{number}" for number in range(8)]


def test_the_pages_of_a_study_s_list_are_asked_for_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that says that there are no more, too."""
    monkeypatch.setattr(dicomweb, "PAGE", 1)
    meeting = Barrier(3)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        offset = int(parse_qs(urlsplit(handler.path).query)["offset"][0])
        # Alone, a request waits here in vain, and is answered with a failure.
        meeting.wait(10)
        values = {
            key: {"vr": "UI", "Value": [f"1.{offset}"]}
            for key in ("0020000D", "0020000E", "00080018", "00080016", "00080060")
        }
        send(handler, json.dumps([values] if offset < 2 else []).encode(), JSON)

    with serving(answer) as url:
        assert len(source_at(url).instances(Study("1.0", "", "", "", "", (), 2))) == 2
    assert not meeting.broken


@pytest.mark.parametrize(("listed", "told"), [(1, 0), (3, 1), (dicomweb.PAGE + 1, 0)])
def test_a_list_that_ignores_the_offset_may_be_cut_and_that_is_told_once(listed: int, told: int) -> None:
    """One entry is no cut list, and who gives more than was asked for gives all."""
    entries = [{"0020000D": {"vr": "UI", "Value": [f"1.2.{number}"]}} for number in range(listed)]
    with serving(lambda handler: send(handler, json.dumps(entries).encode(), JSON)) as url:
        source = source_at(url)
        for _ in range(2):
            assert len(list(source.studies())) == listed
    assert [problem.error for problem in source.problems] == [TruncatedAnswer] * told
    assert all(f"ends after {listed} studies" in str(problem) for problem in source.problems)


def test_accession_numbers_are_asked_for_side_by_side() -> None:
    meeting = Barrier(2)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        query = parse_qs(urlsplit(handler.path).query)
        if "AccessionNumber" in query and query["offset"] == ["0"]:
            # Alone, a request waits here in vain, and is answered with a failure.
            meeting.wait(10)
        send(handler, b"[]", JSON)

    with serving(answer) as url:
        source = source_at(url)
        assert list(source.studies(Query(accession_numbers=["A1", "A2"]))) == []
    assert not meeting.broken
    assert [problem.place for problem in source.problems] == ["A1", "A2"]


@pytest.mark.parametrize(
    ("environment", "header"),
    [
        ({"DICOMWEB_TOKEN": "t0ken"}, "Bearer t0ken"),
        ({"DICOMWEB_PASSWORD": "pässword"}, "Basic YW5uYTpww6Rzc3dvcmQ="),
        ({"DICOMWEB_TOKEN": "t0ken", "DICOMWEB_PASSWORD": "x"}, "Bearer t0ken"),
    ],
)
def test_secrets_come_from_the_environment_and_reach_no_label(
    environment: dict[str, str], header: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DICOMWEB_TOKEN", "DICOMWEB_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    server = Recording()
    with serving(server) as url:
        source = source_at(url.replace("//", "//anna@"))
        assert list(source.studies()) == []
        assert source.label == f"dicomweb+{url}/dicom-web"
    assert server.requests[0][1]["Authorization"] == header


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("dicomweb+http://anna:secret@host/dicom-web", "DICOMWEB_PASSWORD"),
        ("dicomweb+http:///dicom-web", "looks like"),
        ("dicomweb+http://host:99999/", "port"),
        ("dicomweb+https://host/root?x=1", "looks like"),
    ],
)
def test_a_wrong_address_gets_one_sentence_without_its_secrets(address: str, words: str) -> None:
    with pytest.raises(BadAddress, match=words) as caught:
        open_source(address)
    assert "secret" not in str(caught.value)


def test_a_study_date_range_and_modalities_reach_the_server() -> None:
    server = Recording()
    with serving(server) as url:
        query = Query(first_date=date(2015, 1, 1), annotated_in=frozenset(["SR", "PR"]))
        list(source_at(url).studies(query))
    asked = [parse_qs(urlsplit(path).query) for path, _ in server.requests]
    assert [each["ModalitiesInStudy"] for each in asked] == [["PR"], ["SR"]]
    assert all(each["StudyDate"] == ["20150101-"] for each in asked)
