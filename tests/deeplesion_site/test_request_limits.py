"""What a request may bring: no file, and no more JSON than any request needs."""

import os
import tempfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from urllib.parse import urlencode

import pytest
from django.conf import settings as configured
from django.test import Client
from pytest_django import Settings

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
