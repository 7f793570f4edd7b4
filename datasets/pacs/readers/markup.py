"""XML from files and objects of unknown origin: parsed without trusting it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

MAX_BYTES = 64 * 2**20
MAX_ELEMENTS = 1_000_000
MAX_DEPTH = 200
"""More than any list of annotations has; an element takes fifty times its bytes in memory."""

SCHEMA_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


class NoXml(ValueError):
    """The bytes are no XML document, or one that must not be opened; one phrase says why."""


def parsed(data: bytes) -> Element:
    """Parse a document.

    Raises
    ------
    NoXml : it is damaged, too large or too deep, or declares entities, which serve only to blow it up.
    """
    if len(data) > MAX_BYTES:
        raise NoXml(f"it is larger than {MAX_BYTES // 2**20} MB")
    parser = ElementTree.XMLParser(target=_Counted())  # noqa: S314  (what it is warned of is refused by its target)
    try:
        parser.feed(data)
        return parser.close()
    except NoXml:
        raise
    except (ElementTree.ParseError, ValueError, LookupError):
        raise NoXml("it is no well-formed XML") from None


class _Counted(ElementTree.TreeBuilder):
    """Builds the tree as far as any honest document goes.

    The parser resolves no external entities, and no entities can be declared without a document type. It is the
    parser that sees one, so that none hides in another encoding.
    """

    def __init__(self) -> None:
        super().__init__()
        self._depth = self._elements = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        self._depth, self._elements = self._depth + 1, self._elements + 1
        if self._depth > MAX_DEPTH:
            raise NoXml(f"its elements stand in each other more than {MAX_DEPTH} deep")
        if self._elements > MAX_ELEMENTS:
            raise NoXml(f"it has more than {MAX_ELEMENTS:,} elements")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> Element:
        self._depth -= 1
        return super().end(tag)

    def doctype(self, *_: object) -> None:
        raise NoXml("it declares a document type, which is not read")


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
