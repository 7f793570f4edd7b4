"""Bookmarks that a script exported from a PACS as CSV or XML, as in the paper: vertices in patient millimetres.

The columns are described in docs/vendor-export.md. Rows name the study by its accession number alone.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from xml.etree.ElementTree import Element

from datasets.pacs.readers.bookmark import SHAPES, Bookmark, Carrier, Code, Reason, Tool, length
from datasets.pacs.readers.markup import below, name_of, number
from datasets.pacs.readers.numbered import numbered
from datasets.pacs.readers.spreadsheet import decimal, rows_of

Row = Mapping[str, str]

ROOT = "bookmarks"
ACCESSION = "accession_number"
VERTICES = tuple(tuple(f"{axis}{vertex}" for axis in "xyz") for vertex in range(1, 5))
REQUIRED = (ACCESSION, "tool", *VERTICES[0], *VERTICES[1])
"""Without these a CSV file is none of ours."""

COLUMNS = (
    ACCESSION, "tool", *chain(*VERTICES), "bookmark", "follow_up", "long_mm", "short_mm", "finding_site",
    "series_instance_uid", "sop_instance_uid", "frame_of_reference_uid",
)  # fmt: skip
"""Whatever is read of a row."""

TOOLS = {
    "bidimensional": Tool.BIDIMENSIONAL,
    "recist": Tool.BIDIMENSIONAL,
    "two diameters": Tool.BIDIMENSIONAL,
    "line": Tool.LINE,
    "arrow": Tool.ARROW,
    "ellipse": Tool.ELLIPSE,
    "text": Tool.TEXT,
}


class NoExport(ValueError):
    """The document is no such export."""


def rows_of_csv(data: bytes) -> list[Row]:
    """Read the rows of a CSV file, as spreadsheets save it.

    Raises
    ------
    NoTable : one phrase on why it is no such file.
    """
    return list(rows_of(data, REQUIRED, COLUMNS))


def csv_of(rows: Sequence[Row]) -> bytes:
    """Write rows such that `rows_of_csv` gives them back, values that are empty aside."""
    text = io.StringIO()
    names = dict.fromkeys((*REQUIRED, *(name for row in rows for name in row)))
    writer = csv.DictWriter(text, tuple(names))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def rows_of_xml(root: Element) -> list[Row]:
    """Read `<bookmarks><bookmark accession_number=... tool=...><vertex x= y= z=/>...</bookmark></bookmarks>`.

    Raises
    ------
    NoExport : its root is another.
    """
    if name_of(root) != ROOT:
        raise NoExport("its root is not `bookmarks`")
    rows: list[Row] = []
    for bookmark in below(root, "bookmark"):
        row = {key.lower(): text.strip() for key, text in bookmark.attrib.items()}
        for names, vertex in zip(VERTICES, below(bookmark, "vertex"), strict=False):
            row |= {name: vertex.get(axis, "").strip() for name, axis in zip(names, "xyz", strict=True)}
        rows.append(row)
    return rows


def read_rows(rows: list[Row], report: str) -> list[Bookmark]:
    """Make bookmarks of the rows of one study.

    A row has no number of its own that would stay when the export is made again, so it is known by its content.
    """
    seen: Counter[str] = Counter()
    found = []
    for row in rows:
        content = hashlib.sha256(repr(sorted(item for item in row.items() if item[1])).encode()).hexdigest()[:16]
        seen[content] += 1
        found.append(_bookmark(row, report, f"{content}.{seen[content]}"))
    return found


def _bookmark(row: Row, report: str, item: str) -> Bookmark:
    tool = TOOLS.get(row.get("tool", "").lower(), Tool.OTHER)
    reason, detail = None, ""
    points, damaged = _points(row)
    if tool is not Tool.BIDIMENSIONAL:
        reason, detail = Reason.NOT_RECIST, SHAPES[tool]
    elif damaged:
        reason, detail = Reason.NOT_RECIST, "a coordinate of its row is no number"
    elif len(points) != 4:
        reason, detail = Reason.NOT_RECIST, f"its row has {len(points)} of the four vertices"
    site = row.get("finding_site", "")
    return Bookmark(
        report=report,
        item=item,
        tool=tool,
        carrier=Carrier.EXPORT,
        points=() if damaged else points,
        image=row.get("sop_instance_uid", ""),
        frame_of_reference=row.get("frame_of_reference_uid", ""),
        series=row.get("series_instance_uid", ""),
        long_mm=length(number(decimal(row.get("long_mm", "")))),
        short_mm=length(number(decimal(row.get("short_mm", "")))),
        site=Code("", "", site) if site else None,
        label=numbered("B", row.get("bookmark", "")),
        follow_up=numbered("F", row.get("follow_up", "")),
        reason=reason,
        detail=detail,
    )


def _points(row: Row) -> tuple[tuple[tuple[float, ...], ...], bool]:
    """The vertices that are there, and whether one of them is damaged."""
    points: list[tuple[float, ...]] = []
    for names in VERTICES:
        texts = [row.get(name, "") for name in names]
        if not any(texts):
            continue
        numbers = [number(decimal(text)) for text in texts]
        if None in numbers:
            return (), True
        points.append(tuple(each for each in numbers if each is not None))
    return tuple(points), False
