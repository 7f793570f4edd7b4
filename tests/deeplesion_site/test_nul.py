"""A request that holds the character NUL, which PostgreSQL stores in no text, is answered 400 by every address."""

import json
import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import settings as configured
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

SENTENCE = "holds the character NUL"
FIELDS = ("owner", "by", "release", "next", "username", "source", "note", "page", "any")


def addresses(patterns: list[URLPattern | URLResolver] | None = None, before: str = "/") -> Iterator[str]:
    """One address of every route; numbers and names are of nothing."""
    for item in get_resolver().url_patterns if patterns is None else patterns:
        here = before + str(item.pattern).replace("^", "").replace("\\Z", "").rstrip("$").replace("\\.", ".")
        if isinstance(item, URLResolver):
            yield from addresses(item.url_patterns, here)
        else:
            yield re.sub(r"\(\?P<\w+>(?:[^()]|\([^)]*\))*\)", "1", re.sub(r"<[^>]+>", "1", here))


@pytest.fixture
def admin(client_of: Callable[[str], Client], dataset: SimpleNamespace) -> Client:
    client = client_of("admin")
    client.raise_request_exception = False
    return client


@pytest.mark.parametrize("given", [{name: "\0"} for name in FIELDS] + [{"\0": "1"}], ids=repr)
def test_no_query_reaches_the_database(admin: Client, given: dict[str, str]) -> None:
    for address in addresses():
        answer = admin.get(f"{address}?{urlencode(given)}")
        assert (answer.status_code, SENTENCE in answer.content.decode()) == (400, True), address


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart"])
def test_no_form_reaches_the_database(admin: Client, kind: str) -> None:
    given = dict.fromkeys(FIELDS, "a\0b")
    for address in addresses():
        if not address.startswith("/api/"):
            answer = admin.post(address, urlencode(given), kind) if "/" in kind else admin.post(address, given)
            assert answer.status_code in (400, 404), address
            assert answer.status_code == 404 or SENTENCE in answer.content.decode(), address


def test_no_path_and_no_cookie_reach_the_database(admin: Client) -> None:
    for address in ("/api/v1/collections/a%00/", "/api/v1/reviews/%00/", "/releases/%00/", "/bodypart/%00/"):
        assert admin.get(address).status_code == 400, address
    cookie = f'{configured.SESSION_COOKIE_NAME}="' + "\\000" * 32 + '"'
    assert admin.get("/account/", headers={"cookie": cookie}).status_code == 400


@pytest.mark.parametrize(
    ("address", "given"),
    [
        ("jobs/", {"kind": "harvest", "params": {"source": "dicomweb+https://h/r", "title": "\0"}}),
        ("jobs/", {"kind": "harvest", "params": {"source": "dicomweb+https://h/r", "accession_numbers": ["\0"]}}),
        ("jobs/", {"kind": "harvest", "params": {"source": "dicomweb+https://h/r", "collection": "\0"}}),
        ("jobs/", {"kind": "import", "params": {"download": "\0"}}),
        ("jobs/", {"kind": "manifest", "params": {"release": "\0"}}),
        ("jobs/", {"kind": "\0", "params": {}}),
        ("reviews/", {"lesion": 1, "verdict": "keep", "note": "\0"}),
        ("reviews/", {"lesion": 1, "verdict": "\0"}),
        ("reviews/1/undo/", {"note": "\0"}),
    ],
    ids=str,
)
def test_no_json_reaches_the_database(admin: Client, address: str, given: dict[str, Any]) -> None:
    for character in ("\0", "\ud800"):
        body = json.dumps(given).replace(json.dumps("\0")[1:-1], json.dumps(character)[1:-1])
        answer = admin.post(f"/api/v1/{address}", body, content_type="application/json")
        assert answer.status_code == 400, (character, answer.content)


def test_a_program_gets_a_problem_and_a_person_a_page(admin: Client) -> None:
    assert admin.get("/api/v1/lesions/?type=%00")["Content-Type"] == "application/problem+json"
    page = admin.get("/lesions/?type=%00")
    assert "<h1>This request cannot be understood</h1>" in page.content.decode()
    assert "default-src 'self'" in page["Content-Security-Policy"]
