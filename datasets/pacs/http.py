"""HTTP to a DICOMweb server: who we are, how much an answer may hold, and every failure in words."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterator
from json import JSONDecodeError
from typing import Any, TypeVar

import requests
from dicomweb_client.web import DICOMwebClient
from requests.auth import AuthBase, HTTPBasicAuth
from requests.utils import get_environ_proxies
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

PIECE_BYTES = 2**20
"""How much is read at once; the 10 kB that requests reads by itself cost more time than they bring over."""

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


def credentials(user: str) -> AuthBase | None:
    """What DICOMWEB_TOKEN, or DICOMWEB_PASSWORD with the user of the address, gives; the token counts first."""
    if token := os.environ.get("DICOMWEB_TOKEN", ""):
        return Bearer(token)
    if user:
        return HTTPBasicAuth(user.encode(), os.environ.get("DICOMWEB_PASSWORD", "").encode())
    return None


def client(address: WebAddress) -> DICOMwebClient:
    """A client for one thread, whose answers are bounded and known to be whole.

    Raises
    ------
    TlsFailure : a file of the environment cannot be used; the sentence names its variable.
    """
    session = requests.Session()
    session.auth = credentials(address.user)
    # Left to itself, requests reads the environment anew for every slice, and looks for passwords in ~/.netrc.
    session.trust_env = False
    session.proxies = get_environ_proxies(address.url)
    session.verify = _authorities() if address.url.startswith("https:") else True
    # Compressing CT slices takes a server ten times as long as sending them.
    session.headers["Accept-Encoding"] = "identity"
    made = DICOMwebClient(address.url, session=session, callback=_bounded, permissive_uid=True, timeout=TIMEOUT_S)
    made.set_http_retry_params(max_attempts=ATTEMPTS, wait_exponential_multiplier=FIRST_WAIT_MS)
    return made


def _authorities() -> str | bool:
    """The file, or the folder, with certificates of those whom we trust; True for those that requests brings along."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        path = os.environ.get(name)
        if path and not os.path.isdir(path):
            try:
                ssl.create_default_context(cafile=path)
            except OSError:
                raise TlsFailure(f"{name} names no file with certificates that can be read") from None
        if path:
            return path
    return True


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
            "the user belongs into the address, the password into DICOMWEB_PASSWORD or a token into DICOMWEB_TOKEN, "
            "which a worker that does the harvest must have in its own environment"
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


def _bounded(response: requests.Response, *_arguments: Any, **options: Any) -> requests.Response:
    """Called before an answer is read: put a limit on it, and a check that it is whole."""
    in_parts = bool(options.get("stream"))
    stated = response.headers.get("Content-Length", "")
    if stated.isdecimal() and int(stated) > MAX_ANSWER_BYTES and not in_parts:
        raise TooLarge(f"the server announces an answer of {int(stated) / 2**30:.1f} GB")
    response.raw = _Bounded(response.raw, _boundary(response.headers.get("Content-Type", "")), in_parts)
    return response


def _boundary(content_type: str) -> bytes:
    """What stands between the parts of a multipart answer; b"" for an answer in one piece."""
    boundary = next((part for part in content_type.split(";") if part.strip().lower().startswith("boundary=")), "")
    return f"--{boundary.strip()[9:].strip(chr(34))}".encode() if boundary else b""


class _Bounded:
    """A raw answer that counts what passes through."""

    def __init__(self, raw: Any, boundary: bytes, in_parts: bool) -> None:
        self._raw = raw
        self._boundary = boundary
        self._in_parts = in_parts
        """Whether the answer is used part by part, so that the bound is one part's."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def stream(self, amount: int, decode_content: bool | None = None) -> Iterator[bytes]:
        """Give the decoded content in pieces, as urllib3 does.

        Raises
        ------
        TooLarge, TruncatedAnswer
        """
        seen, tail = 0, b""
        for piece in self._raw.stream(max(amount, PIECE_BYTES), decode_content=decode_content):
            last = piece.rfind(self._boundary) if self._in_parts and self._boundary else -1
            seen = seen + len(piece) if last < 0 else len(piece) - last
            if seen > MAX_ANSWER_BYTES:
                raise TooLarge(f"the server's answer is larger than {MAX_ANSWER_BYTES / 2**30:.2f} GB")
            tail = (tail + piece[-256:])[-256:]
            yield piece
        # Without the last boundary, the last part may be cut.
        if self._boundary and self._boundary + b"--" not in tail:
            raise TruncatedAnswer("the server's answer ends too early")
