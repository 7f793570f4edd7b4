"""HTTP to a DICOMweb server: who we are, how much an answer may hold, and every failure in words."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from json import JSONDecodeError
from typing import Any, TypeVar

import requests
from dicomweb_client.web import DICOMwebClient
from requests.auth import AuthBase, HTTPBasicAuth
from retrying import RetryError
from urllib3.exceptions import HTTPError as TransportError

from datasets.pacs.addressing import WebAddress
from datasets.pacs.source import (
    AccessDenied,
    BadAnswer,
    SourceError,
    SourceNotFound,
    SourceUnreachable,
    TlsFailure,
    TooLarge,
    TruncatedAnswer,
)

R = TypeVar("R")

MAX_ANSWER_BYTES = 256 * 2**20
"""One object, or one page of a list: many times the largest CT slice."""

TIMEOUT_S = (10.0, 60.0)
"""To connect, and between two pieces of an answer."""

ATTEMPTS, FIRST_WAIT_MS = 3, 100
"""A busy server or a dropped connection is tried again, after 0.2 s and 0.4 s."""

DENIED = (401, 403, 407)


class NotThere(Exception):
    """The server does not hold what was asked for."""


class Bearer(AuthBase):
    """A token in every request."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class NoAuth(AuthBase):
    """Nothing, so that requests does not look for a password of its own in ~/.netrc."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


def credentials(user: str) -> AuthBase:
    """What DICOMWEB_TOKEN, or DICOMWEB_PASSWORD with the user of the address, gives; the token counts first."""
    if token := os.environ.get("DICOMWEB_TOKEN", ""):
        return Bearer(token)
    if user:
        return HTTPBasicAuth(user.encode(), os.environ.get("DICOMWEB_PASSWORD", "").encode())
    return NoAuth()


def client(address: WebAddress) -> DICOMwebClient:
    """A client for one thread, whose answers are bounded and known to be whole."""
    session = requests.Session()
    session.auth = credentials(address.user)
    made = DICOMwebClient(address.url, session=session, callback=_bounded, permissive_uid=True, timeout=TIMEOUT_S)
    made.set_http_retry_params(max_attempts=ATTEMPTS, wait_exponential_multiplier=FIRST_WAIT_MS)
    return made


def asked(request: Callable[..., R], *arguments: Any, **options: Any) -> R:
    """Call a method of the client and turn what goes wrong into the domain's words.

    Raises
    ------
    SourceError : the server or the way to it. NotThere : 404 and 410. ValueError, OSError : the content is no DICOM.
    """
    try:
        return request(*arguments, **options)
    except requests.HTTPError as error:
        raise _of_status(error.response.status_code if error.response is not None else 0) from None
    except RetryError:
        raise SourceUnreachable("the server is too busy to answer") from None
    except requests.exceptions.SSLError:
        raise TlsFailure("no secure connection to the server: its certificate is not trusted") from None
    except requests.exceptions.ConnectTimeout:
        raise SourceUnreachable("the server cannot be reached: it does not answer") from None
    except requests.exceptions.Timeout:
        raise SourceUnreachable("the server stopped answering") from None
    except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError, TransportError):
        raise TruncatedAnswer("the server's answer ends too early") from None
    except (requests.exceptions.JSONDecodeError, JSONDecodeError):
        raise BadAnswer("the server's answer is no DICOM JSON; is the address the root of its DICOMweb?") from None
    except requests.ConnectionError as error:
        raise SourceUnreachable(f"the server cannot be reached: {_why(error)}") from None
    except requests.TooManyRedirects:
        raise BadAnswer("the server redirects without end") from None
    except requests.RequestException:
        raise BadAnswer("the server's answer cannot be read") from None


def _of_status(status: int) -> Exception:
    if status in DENIED:
        return AccessDenied(
            f"the server does not let us in (HTTP {status}); "
            "the user belongs into the address, the password into DICOMWEB_PASSWORD or a token into DICOMWEB_TOKEN"
        )
    if status in (404, 410):
        return NotThere()
    return BadAnswer(f"the server answers with HTTP {status}")


def not_dicomweb() -> SourceError:
    """What a search that the server does not know means."""
    return SourceNotFound("the server has no DICOMweb at this address (HTTP 404)")


def _why(error: requests.ConnectionError) -> str:
    text = str(error)
    if "timed out" in text:
        return "it stopped answering"
    if "Name or service not known" in text or "NameResolution" in text or "name resolution" in text:
        return "its name is not known"
    if "refused" in text:
        return "nothing listens at this host and port"
    return "the connection broke"


def _bounded(response: requests.Response, *_arguments: Any, **_options: Any) -> requests.Response:
    """Called before an answer is read: put a limit on it, and a check that it is whole."""
    stated = response.headers.get("Content-Length", "")
    if stated.isdecimal() and int(stated) > MAX_ANSWER_BYTES:
        raise TooLarge(f"the server announces an answer of {int(stated) / 2**30:.1f} GB")
    response.raw = _Bounded(response.raw, _closing(response.headers.get("Content-Type", "")))
    return response


def _closing(content_type: str) -> bytes:
    """What a multipart answer must end with; without it, the last part may be cut."""
    boundary = next((part for part in content_type.split(";") if part.strip().lower().startswith("boundary=")), "")
    return f"--{boundary.strip()[9:].strip(chr(34))}--".encode() if boundary else b""


class _Bounded:
    """A raw answer that counts what passes through."""

    def __init__(self, raw: Any, closing: bytes) -> None:
        self._raw = raw
        self._closing = closing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def stream(self, amount: int, decode_content: bool | None = None) -> Iterator[bytes]:
        """Give the decoded content in pieces, as urllib3 does.

        Raises
        ------
        TooLarge, TruncatedAnswer
        """
        seen, tail = 0, b""
        for piece in self._raw.stream(amount, decode_content=decode_content):
            seen += len(piece)
            if seen > MAX_ANSWER_BYTES:
                raise TooLarge(f"the server's answer is larger than {MAX_ANSWER_BYTES / 2**30:.2f} GB")
            tail = (tail + piece[-256:])[-256:]
            yield piece
        if self._closing not in tail:
            raise TruncatedAnswer("the server's answer ends too early")
