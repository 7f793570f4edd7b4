"""From an address, as a person types it, to the source behind it, and to what may be shown of it."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from datasets.pacs import trust
from datasets.pacs.addressing import dimse_address, web_address
from datasets.pacs.dicomweb import DicomwebSource
from datasets.pacs.dimse import DimseSource
from datasets.pacs.directory import DirectorySource
from datasets.pacs.documents import WithDocuments
from datasets.pacs.source import Source, UnknownScheme

_OPENERS: dict[str, Callable[[str], Source]] = {
    "dir": DirectorySource.open,
    "dicomweb+http": DicomwebSource.open,
    "dicomweb+https": DicomwebSource.open,
    "dimse": DimseSource.open,
    "dimse+tls": DimseSource.open,
}
"""What opens the addresses of each scheme."""


def label_of(address: str) -> str:
    """What may be stored and shown of an address: servers by name, a folder without its own, which may name a patient.

    Raises
    ------
    UnknownScheme, BadAddress
    """
    scheme = _known(address)
    if scheme == "dir":
        return "a folder"
    return (web_address if scheme.startswith("dicomweb") else dimse_address)(address).label


def check_trust(address: str, trusted: Iterable[str]) -> None:
    """Refuse a server that would be told our password or token without being one of those that may, see `trust.check`.

    Raises
    ------
    UntrustedServer, UnknownScheme, BadAddress
    """
    if _known(address).startswith("dicomweb"):
        trust.check(web_address(address), trusted)


def open_source(address: str, documents: Sequence[Path] = (), trusted: Iterable[str] = trust.LOOPBACK) -> Source:
    """Open the source at an address, such as `dir:///data/export`.

    Parameters
    ----------
    documents : files with annotations that are not in the source: AIM XML, exports of bookmarks as CSV or XML.
    trusted : servers that may be told our password or token, see `trust.check`.

    Raises
    ------
    UnknownScheme, BadAddress, UntrustedServer, SourceNotFound : one sentence that says what is wrong with the address.
    """
    check_trust(address, trusted)
    source = _OPENERS[_known(address)](address)
    return WithDocuments(source, documents) if documents else source


def _known(address: str) -> str:
    scheme, colon, _ = address.partition(":")
    if not colon or scheme not in _OPENERS:
        known = ", ".join(f"{name}:" for name in _OPENERS)
        raise UnknownScheme(f"the address of a source begins with {known} as in dir:///data/export")
    return scheme
