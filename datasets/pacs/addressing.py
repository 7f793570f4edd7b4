"""Addresses of servers, as a person types them: taken apart and checked, and never with a secret in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from datasets.pacs.source import BadAddress

AE_TITLE = re.compile(r"[^\\\x00-\x1f\x7f-\xff]{1,16}")
"""Application entity titles, DICOM PS3.5 table 6.2-1."""


@dataclass(frozen=True, slots=True)
class WebAddress:
    """A DICOMweb server."""

    url: str
    """http(s)://host[:port]/root, without a slash at the end."""
    user: str

    @property
    def label(self) -> str:
        """For reports."""
        return f"dicomweb+{self.url}"


@dataclass(frozen=True, slots=True)
class DimseAddress:
    """A DIMSE application entity, and what we call ourselves towards it."""

    aet: str
    host: str
    port: int
    our_aet: str
    move: tuple[str, int] | None
    """Title and port under which the server knows us as the destination of C-MOVE; None for C-GET."""
    tls: bool

    @property
    def label(self) -> str:
        """For reports."""
        return f"{'dimse+tls' if self.tls else 'dimse'}://{self.aet}@{self.host}:{self.port}"


def web_address(address: str) -> WebAddress:
    """Read `dicomweb+http(s)://[user@]host[:port]/root`.

    Raises
    ------
    BadAddress : without repeating it, as it may hold a password.
    """
    parts = urlsplit(address.removeprefix("dicomweb+"))
    if parts.password is not None:
        raise BadAddress("a password must not be part of the address; set DICOMWEB_PASSWORD instead")
    port = _port(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise BadAddress("a DICOMweb address looks like dicomweb+https://user@host:8042/dicom-web")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    url = f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path.rstrip('/')}"
    return WebAddress(url, unquote(parts.username or ""))


def dimse_address(address: str) -> DimseAddress:
    """Read `dimse://AET@host:port[?aet=OURS][&move=AET:port]`, or the same with `dimse+tls`.

    Raises
    ------
    BadAddress : one sentence on what is wrong.
    """
    parts = urlsplit(address)
    port = _port(address)
    if not parts.username or not parts.hostname or not port or parts.path.strip("/") or parts.password is not None:
        raise BadAddress("a DIMSE address looks like dimse://AET@host:4242?aet=OURS")
    options = parse_qs(parts.query, keep_blank_values=True)
    unknown = sorted(set(options) - {"aet", "move"})
    if unknown:
        raise BadAddress(f"a DIMSE address has the options aet and move, not {', '.join(unknown)}")
    move = _destination(options["move"][-1]) if "move" in options else None
    ours = options.get("aet", [move[0] if move else "DEEPLESION"])[-1]
    for title in (unquote(parts.username), ours):
        if not AE_TITLE.fullmatch(title) or not title.strip():
            raise BadAddress("an application entity title has 1 to 16 ordinary characters")
    return DimseAddress(unquote(parts.username), parts.hostname, port, ours, move, parts.scheme == "dimse+tls")


def _destination(text: str) -> tuple[str, int]:
    title, colon, port = text.rpartition(":")
    if not colon or not AE_TITLE.fullmatch(title) or not port.isdecimal() or not 0 < int(port) < 65536:
        raise BadAddress("the option move names our title and port, as in move=HARVEST:11112")
    return title, int(port)


def _port(address: str) -> int | None:
    try:
        return urlsplit(address).port
    except ValueError:
        raise BadAddress("the port of the address is not a number from 1 to 65535") from None
