"""Exports that went through a spreadsheet: read as they are, or refused in one sentence."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from datasets.pacs.readers.document import Export, NoAnnotations, opened
from datasets.pacs.readers.export import read_rows
from tests.datasets.pacs.test_export import COLUMNS, MM, line

NAMES, VALUES = COLUMNS.split(","), line().split(",")


def table(separator: str, values: Sequence[str] = VALUES, end: str = "\r\n") -> str:
    return f"{separator.join(NAMES)}{end}{separator.join(values)}{end}"


FORMS = {
    "UTF-16 with tabs": table("\t").encode("utf-16"),
    "UTF-16, the other byte first": b"\xfe\xff" + table(",").encode("utf-16-be"),
    "decimal comma": table(";", [value.replace(".", ",") for value in VALUES]).encode(),
    "decimal comma in quotes": table(",", [f'"{value.replace(".", ",")}"' for value in VALUES]).encode(),
    "its separator in the first line": b"sep=;\r\n" + table(";").encode(),
    "the same in quotes": b'"sep=\t"\r\n' + table("\t").encode(),
    "blanks behind separators": table(", ", [f'"{value}"' for value in VALUES]).encode(),
    "lines that end in a carriage return": table(",", end="\r").encode(),
    "numbers written as text": table(",", [f'="{value}"' for value in VALUES]).encode(),
    "empty columns at the end": "".join(f"{each},,,\n" for each in table(",").splitlines()).encode(),
    "empty rows at the end": f"{table(',')}\r\n{',' * 17}\r\n".encode(),
    "other columns with many separators": f'{COLUMNS},"a;b;{";" * 40}"\n{line()},\n'.encode(),
}


@pytest.mark.parametrize("data", FORMS.values(), ids=FORMS)
def test_every_form_says_the_same(data: bytes) -> None:
    document = opened(data)
    assert isinstance(document, Export)
    (bookmark,) = read_rows(document.rows, "1.2")
    assert bookmark.points == tuple(map(tuple, MM.round(3)))
    assert (bookmark.long_mm, bookmark.label, bookmark.reason) == (16, "B06", None)
    assert document.rows[0]["accession_number"] == "A1"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_letters_outside_ascii_stay_what_they_are(encoding: str) -> None:
    document = opened(table(",", [*VALUES[:-1], "L\u2019h\u00e9patique"]).encode(encoding))
    assert isinstance(document, Export)
    assert document.rows[0]["finding_site"] == "L\u2019h\u00e9patique"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (table(",").encode("utf-16-le"), "zero bytes"),
        (table(",").encode("utf-16")[:-1], "in the middle of a character"),
        (f"{COLUMNS},TOOL \n{line()},arrow\n".encode(), "names the column tool twice"),
        (b"sep=;\n" + table(",").encode(), "does not name the columns"),
        (b"", "does not name the columns"),
    ],
)
def test_what_is_not_read_is_refused_in_one_sentence(data: bytes, words: str) -> None:
    with pytest.raises(NoAnnotations, match=words) as caught:
        opened(data)
    assert "\n" not in str(caught.value)
