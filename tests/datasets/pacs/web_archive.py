"""A small DICOMweb server over datasets, in which a test can break one request."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from urllib.parse import parse_qs, urlsplit

import pydicom
from pydicom.dataset import Dataset

from tests.datasets.pacs.web_server import JSON, Answer, send, serving

Break = Callable[[str], Answer | None]
"""Gives the answer to the request of a path, None for the honest one."""


def honest(path: str) -> Answer | None:
    """Break nothing."""
    return None


@contextmanager
def archive(objects: Iterable[Dataset], breaking: Break = honest, retrieve_url: str = "") -> Iterator[str]:
    """Serve datasets by QIDO and WADO; gives the address of the source. Lists tell the retrieve URL."""
    held = list(objects)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        address = urlsplit(handler.path)
        broken = breaking(address.path)
        if broken is not None:
            broken(handler)
        elif address.path.endswith(("/studies", "/instances")):
            offset = int(parse_qs(address.query).get("offset", ["0"])[0])
            found = _studies(held) if address.path.endswith("/studies") else _of(held, address.path)
            send(handler, json.dumps([_listed(each, retrieve_url) for each in found][offset:]).encode(), JSON)
        else:
            parts = b"".join(_part(each) for each in _of(held, address.path))
            kind = 'multipart/related; type="application/dicom"; boundary=cut'
            send(handler, parts + b"--cut--\r\n", kind)

    with serving(answer) as url:
        yield f"dicomweb+{url}/dicom-web"


def _studies(held: list[Dataset]) -> list[Dataset]:
    found = []
    for uid in sorted({each.StudyInstanceUID for each in held}):
        members = [each for each in held if each.StudyInstanceUID == uid]
        study = Dataset()
        for keyword in ("StudyInstanceUID", "PatientID", "StudyDate", "AccessionNumber"):
            setattr(study, keyword, members[0].get(keyword))
        study.ModalitiesInStudy = sorted({each.Modality for each in members})
        study.NumberOfStudyRelatedInstances = len(members)
        found.append(study)
    return found


def _of(held: list[Dataset], path: str) -> list[Dataset]:
    """What a path such as /studies/1/series/2/instances/3 names."""
    words = path.split("/")
    named = {word: words[place + 1] for place, word in enumerate(words[:-1])}
    return [
        each
        for each in held
        if named.get("studies") in (None, each.StudyInstanceUID)
        and named.get("series") in (None, each.SeriesInstanceUID)
        and named.get("instances") in (None, each.SOPInstanceUID)
    ]


def _listed(each: Dataset, retrieve_url: str) -> dict[str, object]:
    header = Dataset({tag: element for tag, element in each.items() if tag.group != 0x7FE0 and element.VR != "SQ"})
    header.RetrieveURL = retrieve_url or None
    return json.loads(header.to_json())


def _part(each: Dataset) -> bytes:
    file = BytesIO()
    pydicom.dcmwrite(file, each, enforce_file_format=True)
    return b"--cut\r\nContent-Type: application/dicom\r\n\r\n" + file.getvalue() + b"\r\n"
