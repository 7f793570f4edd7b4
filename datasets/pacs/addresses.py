"""From an address, as a person types it, to the source behind it."""

from collections.abc import Callable, Sequence
from pathlib import Path

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
}
"""What opens the addresses of each scheme."""


def open_source(address: str, documents: Sequence[Path] = ()) -> Source:
    """Open the source at an address, such as `dir:///data/export`.

    Parameters
    ----------
    documents : files with annotations that are not in the source: AIM XML, exports of bookmarks as CSV or XML.

    Raises
    ------
    UnknownScheme, BadAddress, SourceNotFound : one sentence that says what is wrong with the address.
    """
    scheme, colon, _ = address.partition(":")
    if not colon or scheme not in _OPENERS:
        known = ", ".join(f"{name}:" for name in _OPENERS)
        raise UnknownScheme(f"the address of a source begins with {known} as in dir:///data/export")
    source = _OPENERS[scheme](address)
    return WithDocuments(source, documents) if documents else source
