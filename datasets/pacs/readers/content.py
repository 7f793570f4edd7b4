"""A structured report as a plain tree: what a tolerant reader needs of it, with every value optional.

Reports from viewers lack values that the standard requires, and one missing value must not cost the whole report.
Source: DICOM PS3.3 C.17.3.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pydicom.dataset import Dataset

from datasets.pacs.instance import DECODE_ERRORS, value_of
from datasets.pacs.readers.bookmark import Code

MAX_DEPTH = 40
"""Deeper nesting is damage, or meant to do harm."""

UNNAMED = Code("", "", "")


@dataclass(frozen=True, slots=True)
class Item:
    """One content item."""

    path: str
    """Positions from the root, which is "1"; the numbers of ReferencedContentItemIdentifier."""
    type: str
    """ValueType: CONTAINER, NUM, SCOORD ..."""
    name: Code
    dataset: Dataset
    utf8: bool
    """The report names no character set, so its texts were decoded as Latin-1, and may be UTF-8."""
    children: list[Item] = field(default_factory=list)

    def named(self, *concepts: Concept) -> list[Item]:
        """The children with one of the given names."""
        return [child for child in self.children if any(concept.names(child.name) for concept in concepts)]

    def below(self) -> Iterator[Item]:
        """Everything below this item, parents first."""
        for child in self.children:
            yield child
            yield from child.below()

    @property
    def text(self) -> str:
        """The value of a TEXT, UIDREF or CODE item as text, "" where there is none."""
        if self.type == "CODE":
            return self.code.meaning
        keyword = {"TEXT": "TextValue", "UIDREF": "UID"}.get(self.type)
        return _text(value_of(self.dataset, keyword), self.utf8) if keyword else ""

    @property
    def code(self) -> Code:
        """The value of a CODE item."""
        return _code(self.dataset, "ConceptCodeSequence", self.utf8)

    @property
    def number(self) -> tuple[float, Code] | None:
        """The value and unit of a NUM item; None where the value is missing or no number."""
        measured = first_of(self.dataset, "MeasuredValueSequence")
        if measured is None:
            return None
        try:
            value = float(value_of(measured, "NumericValue"))
        except (TypeError, ValueError):
            return None
        return value, _code(measured, "MeasurementUnitsCodeSequence", self.utf8)

    @property
    def points(self) -> list[tuple[float, ...]]:
        """The vertices of an SCOORD, two numbers each, or of an SCOORD3D, three numbers each, as stated."""
        size = 3 if self.type == "SCOORD3D" else 2
        try:
            numbers = [float(number) for number in value_of(self.dataset, "GraphicData") or ()]
        except (TypeError, ValueError):
            return []
        if not numbers or len(numbers) % size:
            return []
        return [tuple(numbers[i : i + size]) for i in range(0, len(numbers), size)]

    @property
    def graphic_type(self) -> str:
        """GraphicType of an SCOORD or SCOORD3D."""
        return _text(value_of(self.dataset, "GraphicType")).upper()

    @property
    def reference(self) -> tuple[str, str, int]:
        """SOP class, SOP instance and first frame that an IMAGE or COMPOSITE item refers to."""
        target = first_of(self.dataset, "ReferencedSOPSequence")
        if target is None:
            return "", "", 1
        frames = value_of(target, "ReferencedFrameNumber")
        try:
            frame = int(frames[0] if hasattr(frames, "__getitem__") else frames or 1)
        except (TypeError, ValueError, IndexError):
            frame = 1
        return (
            _text(value_of(target, "ReferencedSOPClassUID")),
            _text(value_of(target, "ReferencedSOPInstanceUID")),
            frame,
        )


@dataclass(frozen=True, slots=True)
class Concept:
    """A concept with the codes and meanings under which writers store it."""

    codes: frozenset[tuple[str, str]]
    meanings: frozenset[str]

    @classmethod
    def of(cls, *codes: str, meanings: tuple[str, ...]) -> Concept:
        """Build from codes such as "SCT 103339001" and lower-case meanings."""
        pairs = (code.split() for code in codes)
        return cls(frozenset((scheme, value) for scheme, value in pairs), frozenset(meanings))

    def names(self, code: Code) -> bool:
        """Compare by scheme and value, then by meaning."""
        return (_scheme(code.scheme), code.value) in self.codes or code.meaning.lower() in self.meanings


def tree(report: Dataset) -> Item:
    """Build the tree of a report; items that cannot be decoded at all are left out."""
    return _item(report, "1", depth=0, utf8=not value_of(report, "SpecificCharacterSet"))


def items_of(dataset: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence, none where it is absent or cannot be decoded."""
    try:
        return [item for item in dataset.get(keyword) or () if isinstance(item, Dataset)]
    except DECODE_ERRORS:
        return []


def first_of(dataset: Dataset, keyword: str) -> Dataset | None:
    """The first item of a sequence."""
    return next(iter(items_of(dataset, keyword)), None)


def _item(dataset: Dataset, path: str, depth: int, utf8: bool) -> Item:
    children = items_of(dataset, "ContentSequence") if depth < MAX_DEPTH else []
    return Item(
        path=path,
        type=_text(value_of(dataset, "ValueType")).upper(),
        name=_code(dataset, "ConceptNameCodeSequence", utf8),
        dataset=dataset,
        utf8=utf8,
        children=[_item(child, f"{path}.{number}", depth + 1, utf8) for number, child in enumerate(children, start=1)],
    )


def _code(dataset: Dataset, keyword: str, utf8: bool) -> Code:
    code = first_of(dataset, keyword)
    if code is None:
        return UNNAMED
    value = next(
        (text for key in ("CodeValue", "LongCodeValue", "URNCodeValue") if (text := _text(value_of(code, key)))), ""
    )
    return Code(_text(value_of(code, "CodingSchemeDesignator")), value, _text(value_of(code, "CodeMeaning"), utf8))


def _scheme(scheme: str) -> str:
    """Older files name SNOMED's alphanumeric codes in several ways."""
    return "SRT" if scheme in ("SNM3", "99SDM", "SNM") else scheme


def _text(value: Any, utf8: bool = False) -> str:
    text = "" if value is None else str(value).strip(" \0")
    if utf8 and not text.isascii():
        try:
            return text.encode("iso8859-1").decode("utf-8")
        except UnicodeError:
            return text
    return text
