"""What a request may bring: no file, and no more JSON than any request needs."""

import logging
import os
import tempfile
from collections.abc import Callable
from io import BytesIO, StringIO
from pathlib import Path
from urllib.parse import urlencode
from wsgiref.util import FileWrapper

import pytest
from django.conf import settings as configured
from django.test import Client, RequestFactory
from pytest_django import Settings

from deeplesion_site.logs import OneLine
from deeplesion_site.wsgi import application

pytestmark = pytest.mark.django_db

LIMIT = configured.DATA_UPLOAD_MAX_MEMORY_SIZE


@pytest.mark.parametrize("address", ["/login/", "/jobs/schedules/", "/people/"])
def test_a_file_in_a_form_is_refused_before_it_is_kept(
    address: str, settings: Settings, tmp_path: Path, client_of: Callable[[str], Client]
) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    client = client_of("admin")
    answer = client.post(address, {"file": BytesIO(os.urandom(4 << 20))})
    assert answer.status_code == 400
    assert "Files cannot be uploaded here." in answer.content.decode()
    assert list(tmp_path.iterdir()) == []
    assert not [name for name in os.listdir(tempfile.gettempdir()) if name.endswith(".upload")]


@pytest.mark.parametrize(
    ("body", "code", "sentence"),
    [
        (b'{"kind": "' + b"a" * LIMIT + b'"}', 400, "A request may have 2.5 MB at most."),
        (b"[" * 500_000, 400, "nested too deep"),
        (b'{"kind": "harvest", "params": ' + b'{"a":' * 200_000, 400, "nested too deep"),
        (b'{"kind": ' + b"9" * 100_000 + b"}", 400, ""),
    ],
    ids=["large", "deep list", "deep object", "long number"],
)
def test_json_is_read_as_far_as_any_honest_request_goes(
    body: bytes, code: int, sentence: str, client_of: Callable[[str], Client]
) -> None:
    answer = client_of("admin").post("/api/v1/jobs/", body, content_type="application/json")
    assert answer.status_code == code
    assert answer["Content-Type"] == "application/problem+json"
    assert sentence in answer.json()["detail"]


def test_a_form_of_many_fields_or_much_text_is_refused(client_of: Callable[[str], Client]) -> None:
    client = client_of("admin")
    for given, sentence in (
        ({f"f{number}": "" for number in range(2000)}, "1,000 fields at most"),
        ({"source": "a" * (LIMIT + 1)}, "2.5 MB at most"),
    ):
        answer = client.post("/jobs/schedules/", urlencode(given), content_type="application/x-www-form-urlencoded")
        assert answer.status_code == 400
        assert sentence in answer.content.decode()


def test_what_anybody_may_send_too_much_of_is_not_logged(
    client_of: Callable[[str], Client], caplog: pytest.LogCaptureFixture
) -> None:
    client = client_of("admin")
    for given in (
        {"data": {"file": BytesIO(b"x")}},
        {"data": "a" * (LIMIT + 1), "content_type": "application/x-www-form-urlencoded"},
        {"data": urlencode({f"f{number}": "" for number in range(2000)})}
        | {"content_type": "application/x-www-form-urlencoded"},
    ):
        assert client.post("/login/", **given).status_code == 400
    assert caplog.text == ""


def test_what_else_is_suspicious_is_one_line_in_the_log(client: Client) -> None:
    handlers = logging.getLogger("django.security").handlers
    (handler,) = (each for each in handlers if isinstance(each.formatter, OneLine))
    assert isinstance(handler, logging.StreamHandler)
    before = handler.setStream(StringIO())
    try:
        assert client.get("/", headers={"Host": "evil.example"}).status_code == 400
    finally:
        written = handler.setStream(before)
    assert isinstance(written, StringIO)
    assert len(written.getvalue().splitlines()) == 1
    assert "evil.example" in written.getvalue()


@pytest.mark.parametrize("path", ["/", "/login/", "/nothing/", "/static/css/forms.css", "/health/live"])
def test_an_answer_to_head_is_that_to_get_without_its_body(path: str, rf: RequestFactory) -> None:
    said = []
    started: list[tuple[str, dict[str, str]]] = []
    for method in ("GET", "HEAD"):
        environ = {**rf.generic(method, path).environ, "wsgi.file_wrapper": FileWrapper}
        answer = application(environ, lambda status, headers: started.append((status, dict(headers))))
        status, headers = started.pop()
        said.append((status, headers.get("Content-Length"), b"".join(answer)))
        answer.close()
    (_, length, whole), to_head = said
    assert to_head == (status, length, b"")
    assert len(whole) == int(length or 0) > 0
