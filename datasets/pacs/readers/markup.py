"""XML from files and objects of unknown origin: parsed without trusting it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

MAX_BYTES = 64 * 2**20
"""More than any list of annotations has."""

SCHEMA_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


class NoXml(ValueError):
    """The bytes are no XML document, or one that must not be opened; one phrase says why."""


def parsed(data: bytes) -> Element:
    """Parse a document.

    Raises
    ------
    NoXml : it is damaged, too large, or declares entities, which serve only to blow it up.
    """
    if len(data) > MAX_BYTES:
        raise NoXml(f"it is larger than {MAX_BYTES // 2**20} MB")
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise NoXml("it declares a document type, which is not read")
    try:
        # The parser resolves no external entities, and entities of its own cannot be declared without a DOCTYPE.
        return ElementTree.fromstring(data)  # noqa: S314
    except (ElementTree.ParseError, ValueError, LookupError):
        raise NoXml("it is no well-formed XML") from None


def name_of(element: Element) -> str:
    """The name without its namespace."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def below(element: Element, *names: str) -> Iterator[Element]:
    """Every element below that has one of the names, whatever its namespace."""
    for each in element.iter():
        if each is not element and name_of(each) in names:
            yield each


def child(element: Element, name: str) -> Element | None:
    """The first child of a name."""
    return next((each for each in element if name_of(each) == name), None)


def value(element: Element, name: str) -> str:
    """A value: an attribute of that name, or a child with an attribute `value`, `root` or `extension`, or its text."""
    for key, text in element.attrib.items():
        if key.rpartition("}")[2] == name:
            return text.strip()
    inner = child(element, name)
    if inner is None:
        return ""
    for key in ("value", "root", "extension"):
        if key in inner.attrib:
            return inner.attrib[key].strip()
    return (inner.text or "").strip()


def number(text: str) -> float | None:
    """A finite number; None for anything else."""
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) else None
