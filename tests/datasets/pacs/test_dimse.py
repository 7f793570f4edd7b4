"""DIMSE: what goes wrong, each with its named error, against Orthanc and against a service provider of our own."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import (
    CTImageStorage,
    EnhancedSRStorage,
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
)

from datasets.pacs import dimse_link, dimse_transfer
from datasets.pacs.addresses import open_source
from datasets.pacs.dimse import DimseSource
from datasets.pacs.source import (
    AccessDenied,
    BadAddress,
    BadAnswer,
    SourceError,
    SourceUnreachable,
    Study,
    TruncatedAnswer,
    Unreadable,
)
from tests.datasets.pacs.archive import dimse, found, own_study, store
from tests.datasets.pacs.dicom_files import STUDY, ct_series, facts, report
from tests.datasets.pacs.web_server import send, serving
from tests.peers.orthanc import Orthanc
from tests.peers.process import free_port

SLICES = ct_series(3)


@contextmanager
def provider(**handlers: Any) -> Iterator[str]:
    """A service provider with handlers by event name, such as `C_FIND`; gives its address."""
    entity = AE("PACS")
    entity.require_called_aet = True
    for context in (StudyRootQueryRetrieveInformationModelFind, StudyRootQueryRetrieveInformationModelGet):
        entity.add_supported_context(context)
    for sop_class in (CTImageStorage, EnhancedSRStorage):
        entity.add_supported_context(sop_class, scu_role=True, scp_role=True)
    port = free_port()
    events = [(getattr(evt, f"EVT_{name}"), handler) for name, handler in handlers.items()]
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=events)
    try:
        yield f"dimse://PACS@127.0.0.1:{port}"
    finally:
        server.shutdown()


def listing(event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
    """List what `SLICES` hold, with no more than what every server must give."""
    level = event.identifier.QueryRetrieveLevel
    keys = {
        "STUDY": ("StudyInstanceUID", "PatientID", "StudyDate"),
        "SERIES": ("SeriesInstanceUID",),
        "IMAGE": ("SOPInstanceUID", "SOPClassUID", "SeriesInstanceUID", "StudyInstanceUID", "InstanceNumber"),
    }[level]
    for slice_ in SLICES if level == "IMAGE" else SLICES[:1]:
        answer = Dataset()
        for key in keys:
            setattr(answer, key, slice_[key].value)
        yield 0xFF00, answer


def sending(event: evt.Event) -> Iterator[Any]:
    """Send what was asked for, one object per request, as servers do that take no lists."""
    asked = event.identifier.SOPInstanceUID
    wanted = [asked] if isinstance(asked, str) else list(asked)[:1]
    chosen = [slice_ for slice_ in SLICES if slice_.SOPInstanceUID in wanted]
    yield len(chosen)
    for slice_ in chosen:
        slice_.file_meta.MediaStorageSOPClassUID = slice_.SOPClassUID
        yield 0xFF00, slice_


def failing(status: int) -> Any:
    def answer(event: evt.Event) -> Iterator[tuple[int, None]]:
        yield status, None

    return answer


def aborting(event: evt.Event) -> Iterator[tuple[int, Dataset]]:
    """Give one entry and break off."""
    yield next(listing(event))
    event.assoc.abort()


def test_a_server_that_gives_only_what_it_must_is_read_through_its_objects() -> None:
    with provider(C_FIND=listing, C_GET=sending) as address:
        source = open_source(address)
        (study,) = (replace(each, marked_elsewhere=True) for each in source.studies())
        assert (study.PatientID, study.NumberOfStudyRelatedInstances) == ("4711", 0)
        instances = source.instances(study)
        assert [instance.ImagePositionPatient[2] for instance in instances] == [0, 5, 10]
        objects = dict(source.read_all(instances))
    assert [getattr(each, "PixelData", None) for each in objects.values()] == [each.PixelData for each in SLICES]


def test_the_modality_of_an_object_is_that_of_its_series() -> None:
    private = report(SOPClassUID="1.3.12.2.1107.5.9.1")

    def listing_private(event: evt.Event) -> Iterator[tuple[int, Dataset]]:
        of_level = {"STUDY": (), "SERIES": ("Modality",), "IMAGE": ("SOPClassUID", "SOPInstanceUID")}
        answer = Dataset()
        for key in ("StudyInstanceUID", "SeriesInstanceUID", *of_level[event.identifier.QueryRetrieveLevel]):
            setattr(answer, key, private[key].value)
        yield 0xFF00, answer

    with provider(C_FIND=listing_private) as address:
        source = open_source(address)
        (study,) = source.studies()
        (instance,) = source.instances(study)
    assert (instance.SOPClassUID, instance.Modality) == (private.SOPClassUID, "SR")


@pytest.mark.parametrize(
    ("handler", "error", "words"),
    [
        (aborting, SourceUnreachable, "broke off the search"),
        (failing(0xA700), BadAnswer, "0xA700"),
        (failing(0xC001), BadAnswer, "0xC001"),
        (failing(0xFE00), TruncatedAnswer, "before its end"),
    ],
)
def test_a_failed_search_is_never_taken_for_an_empty_one(handler: Any, error: type[SourceError], words: str) -> None:
    with provider(C_FIND=handler) as address, pytest.raises(error, match=words):
        list(open_source(address).studies())


def test_a_server_that_does_not_answer_in_time_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dimse_link, "ANSWER_S", 0.3)
    release = socket.socketpair()

    def silent(event: evt.Event) -> Iterator[tuple[int, None]]:
        release[0].recv(1)
        yield 0x0000, None

    with provider(C_FIND=silent) as address:
        with pytest.raises(SourceUnreachable, match="time-out or abort"):
            list(open_source(address).studies())
        release[1].send(b"x")


def test_nothing_found_is_an_empty_list() -> None:
    with provider(C_FIND=failing(0x0000)) as address:
        assert list(open_source(address).studies()) == []


def test_a_server_that_stops_mid_series_ends_the_study_not_in_holes() -> None:
    def stopping(event: evt.Event) -> Iterator[Any]:
        yield 3
        yield 0xFF00, SLICES[0]
        event.assoc.abort()

    with provider(C_GET=stopping) as address, pytest.raises(SourceUnreachable, match="in the middle of a transfer"):
        list(open_source(address).read_all(facts(*SLICES)))


def test_what_the_server_refuses_to_send_is_named() -> None:
    with provider(C_GET=failing(0xA900)) as address, pytest.raises(SourceError, match=r"\w+ \w+"):
        open_source(address).read(facts(*SLICES)[0])


def test_an_object_larger_than_any_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dimse_transfer, "MAX_OBJECT_BYTES", 4000)
    monkeypatch.setattr(dimse_link, "ANSWER_S", 0.5)
    with provider(C_GET=sending) as address, pytest.raises(Unreadable, match="which no slice or report is"):
        open_source(address).read(facts(*SLICES)[0])


def test_fewer_objects_than_the_study_has_are_a_truncated_answer() -> None:
    with provider(C_FIND=listing, C_GET=sending) as address, pytest.raises(TruncatedAnswer, match="3 of the 9"):
        open_source(address).instances(Study(STUDY, "4711", "", "", "", ("CT",), 9))


def test_a_wrong_aet_is_access_denied() -> None:
    with provider() as address, pytest.raises(AccessDenied, match="it is not called WRONG"):
        list(open_source(address.replace("PACS", "WRONG")).studies())


@pytest.mark.parametrize(
    ("host", "words"), [("no-such-host.invalid:104", "name is not known"), ("127.0.0.1:{closed}", "nothing listens")]
)
def test_a_wrong_host_is_unreachable(host: str, words: str) -> None:
    with pytest.raises(SourceUnreachable, match=words):
        list(open_source(f"dimse://PACS@{host.format(closed=free_port())}").studies())


def test_what_speaks_no_dicom_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dimse_link, "CONNECT_S", 0.5)
    http_server = serving(lambda handler: send(handler, b"", "text/plain"))
    with http_server as url, pytest.raises(BadAnswer, match="does not speak DICOM"):
        list(open_source(url.replace("http://", "dimse://PACS@")).studies())


def test_a_destination_that_the_server_does_not_know_is_named(orthanc: Orthanc) -> None:
    slices = own_study(1)
    store(orthanc, *slices)
    source = open_source(dimse(orthanc, f"?move=NOBODY:{free_port()}"))
    instances = source.instances(found(source, slices[0].StudyInstanceUID))
    with pytest.raises(SourceError, match=r"\w+ \w+"):
        source.read(instances[0])


def test_a_port_of_ours_that_is_taken_is_named(orthanc: Orthanc) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        source = open_source(dimse(orthanc, f"?move={orthanc.move_aet}:{taken.getsockname()[1]}"))
        with pytest.raises(BadAddress, match="cannot be opened"):
            source.read(facts(*SLICES)[0])


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("dimse://host:4242", "looks like"),
        ("dimse://PACS@host", "looks like"),
        ("dimse://PACS@host:4242/path", "looks like"),
        ("dimse://PACS@host:4242?aet=A_TITLE_THAT_IS_TOO_LONG", "1 to 16"),
        ("dimse://PACS@host:4242?move=HARVEST", "HARVEST:11112"),
        ("dimse://PACS@host:4242?tls=yes", "not tls"),
        ("dimse://PACS@host:0x5", "port"),
    ],
)
def test_a_wrong_address_gets_one_sentence(address: str, words: str) -> None:
    with pytest.raises(BadAddress, match=words):
        open_source(address)


def test_our_title_is_the_one_that_the_server_sends_to() -> None:
    assert DimseSource.open("dimse://PACS@host:4242?move=US:104").label == "dimse://PACS@host:4242"
