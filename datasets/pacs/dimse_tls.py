"""TLS of DIMSE, DICOM PS3.15 B: whom we trust and who we are comes from the environment.

DIMSE_TLS_CA names a file with certificates of authorities, without which the machine's own count;
DIMSE_TLS_CERTIFICATE and DIMSE_TLS_KEY name our certificate and its key, for servers that ask for one.
"""

from __future__ import annotations

import os
import socket
import ssl

from datasets.pacs.source import TlsFailure

NO_TLS = "no secure connection to the server: it does not speak TLS as we do"

ANSWER_S = 1.0
"""How long to wait for a server to refuse our certificate, which it does only after its own was taken."""


def as_client() -> ssl.SSLContext:
    """What opens associations.

    Raises
    ------
    TlsFailure : a file of the environment cannot be used; the sentence names its variable.
    """
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=_authorities())
    _introduce(context)
    return context


def as_server() -> ssl.SSLContext:
    """What takes associations to which a server sends what C-MOVE asks for; it must show a certificate, too.

    Raises
    ------
    TlsFailure : we have no certificate, or a file of the environment cannot be used.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=_authorities())
    context.verify_mode = ssl.CERT_REQUIRED
    if not _introduce(context):
        raise TlsFailure("to be sent to over TLS we need DIMSE_TLS_CERTIFICATE and DIMSE_TLS_KEY")
    return context


def why_not(connection: socket.socket, host: str) -> TlsFailure | None:
    """Say why a handshake over a connection fails; None where it does not."""
    shaken = False
    try:
        with as_client().wrap_socket(connection, server_hostname=host) as secured:
            shaken = True
            secured.settimeout(ANSWER_S)
            secured.recv(1)
    except ssl.SSLCertVerificationError as error:
        return TlsFailure(f"no secure connection to the server: {error.verify_message or 'it is not trusted'}")
    except ssl.SSLError as error:
        if "CERTIFICATE" in (error.reason or ""):
            return TlsFailure("no secure connection to the server: it does not take our certificate")
        return TlsFailure(NO_TLS)
    except OSError:
        return None if shaken else TlsFailure(NO_TLS)
    return None


def _authorities() -> str | None:
    path = os.environ.get("DIMSE_TLS_CA")
    if path:
        try:
            ssl.create_default_context(cafile=path)
        except OSError:
            raise TlsFailure("DIMSE_TLS_CA names no file with certificates that can be read") from None
    return path or None


def _introduce(context: ssl.SSLContext) -> bool:
    """Load our certificate, where there is one."""
    certificate, key = (os.environ.get(f"DIMSE_TLS_{name}") for name in ("CERTIFICATE", "KEY"))
    if not certificate:
        return False
    try:
        # Without a password a key that needs one is refused; left to itself, OpenSSL asks for it on the terminal.
        context.load_cert_chain(certificate, key or None, password="")
    except OSError:
        sentence = "DIMSE_TLS_CERTIFICATE and DIMSE_TLS_KEY name no certificate and its key that can be read"
        raise TlsFailure(sentence) from None
    return True
