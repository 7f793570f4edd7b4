"""Which DICOMweb servers are told the password or token of the environment: those that whoever runs the site names.

Addresses come from forms and the API, too, and whoever holds an administrator's session could name any server there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from datasets.pacs.addressing import WebAddress
from datasets.pacs.source import UntrustedServer

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
"""Servers on this machine."""

PORTS = {"http": 80, "https": 443}


def check(address: WebAddress, trusted: Iterable[str] = LOOPBACK) -> None:
    """Refuse a server that would be told a secret which is not for it; one that is told none may be any.

    Parameters
    ----------
    trusted : `host`, for all of its ports, or `host:port`; over https, unless `http://` stands in front or the host is
        this machine.

    Raises
    ------
    UntrustedServer : one sentence that names the setting.
    """
    if not address.user and not os.environ.get("DICOMWEB_TOKEN"):
        return
    asked = urlsplit(address.url)
    host, port = str(asked.hostname), asked.port or PORTS[asked.scheme]
    named = [each for each in map(_parsed, trusted) if each.hostname == host and each.port in (None, port)]
    if not named:
        raise UntrustedServer(
            f"{host}:{port} is not among the servers that may be told a password or token; "
            "whoever runs the site names them in DICOMWEB_HOSTS"
        )
    if asked.scheme == "http" and not _is_here(host) and "http" not in {each.scheme for each in named}:
        raise UntrustedServer(
            f"over plain http everybody on the way to {host} reads the password or token; "
            f"use dicomweb+https, or let DICOMWEB_HOSTS name http://{host}:{port} if nobody is on the way"
        )


def _parsed(entry: str) -> SplitResult:
    return urlsplit(entry if "://" in entry else f"https://{entry}")


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
