"""The password and the token of the environment go to servers that are named for it, and to no other."""

from http.server import BaseHTTPRequestHandler

import pytest

from datasets.pacs.addresses import open_source
from datasets.pacs.source import AccessDenied, UntrustedServer
from tests.datasets.pacs.web_server import JSON, send, serving


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DICOMWEB_TOKEN", raising=False)
    monkeypatch.setenv("DICOMWEB_PASSWORD", "s3cret")


@pytest.mark.parametrize(
    ("address", "trusted"),
    [
        ("https://u@pacs.example/dicom-web", ["pacs.example"]),
        ("https://u@PACS.example:8043/dicom-web", ["other", "pacs.example"]),
        ("https://u@pacs.example:8043/dicom-web", ["pacs.example:8043"]),
        ("https://u@pacs.example/dicom-web", ["pacs.example:443"]),
        ("https://u@pacs.example/dicom-web", ["http://pacs.example"]),
        ("http://u@orthanc:8042/dicom-web", ["http://orthanc:8042"]),
        ("http://u@127.0.0.1:8042/dicom-web", ["127.0.0.1"]),
        ("http://u@[::1]:8042/dicom-web", ["[::1]:8042"]),
        ("http://anybody.example/dicom-web", []),
    ],
)
def test_a_named_server_is_told_and_one_that_is_told_nothing_may_be_any(address: str, trusted: list[str]) -> None:
    open_source(f"dicomweb+{address}", trusted=trusted)


@pytest.mark.parametrize(
    ("address", "trusted"),
    [
        ("https://u@evil.example/dicom-web", ["pacs.example"]),
        ("https://u@pacs.example.evil.example/dicom-web", ["pacs.example"]),
        ("https://u@sub.pacs.example/dicom-web", ["pacs.example"]),
        ("https://pacs.example@evil.example/dicom-web", ["pacs.example"]),
        ("https://pacs.example\\@evil.example/dicom-web", ["pacs.example"]),
        ("https://u@pacs.example:8044/dicom-web", ["pacs.example:8043"]),
        ("https://u@127.0.0.1/dicom-web", []),
        ("https://u@[::ffff:10.0.0.1]/dicom-web", ["[::1]"]),
    ],
)
def test_any_other_server_is_refused_in_one_sentence_that_names_the_setting(address: str, trusted: list[str]) -> None:
    with pytest.raises(UntrustedServer, match="in DICOMWEB_HOSTS") as refused:
        open_source(f"dicomweb+{address}", trusted=trusted)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("trusted", [["pacs.example"], ["pacs.example:80"], ["https://pacs.example"]])
def test_plain_http_carries_no_password_to_another_machine_unless_that_is_named(trusted: list[str]) -> None:
    with pytest.raises(UntrustedServer, match=r"plain http .* http://pacs\.example:80"):
        open_source("dicomweb+http://u@pacs.example/dicom-web", trusted=trusted)


def test_a_token_goes_along_without_a_user_so_it_is_guarded_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICOMWEB_TOKEN", "t0ken")
    with pytest.raises(UntrustedServer):
        open_source("dicomweb+https://pacs.example/dicom-web")


@pytest.mark.parametrize("token", ["", "t0ken"])
def test_a_redirect_to_another_server_takes_nothing_along(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DICOMWEB_TOKEN", token)
    heard: list[str | None] = []

    def elsewhere(handler: BaseHTTPRequestHandler) -> None:
        heard.append(handler.headers["Authorization"])
        send(handler, b"", JSON, 401)

    with serving(elsewhere) as other:
        for place in (other, other.replace("127.0.0.1", "localhost")):

            def away(handler: BaseHTTPRequestHandler, place: str = place) -> None:
                assert handler.headers["Authorization"]
                handler.send_response(307)
                handler.send_header("Location", f"{place}{handler.path}")
                handler.send_header("Content-Length", "0")
                handler.end_headers()

            with serving(away) as named, pytest.raises(AccessDenied):
                list(open_source(f"dicomweb+{named.replace('//', '//u@')}/dicom-web").studies())
    assert heard == [None, None]
