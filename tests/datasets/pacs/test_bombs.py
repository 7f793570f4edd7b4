"""Files made to blow up: refused in one sentence before they take memory or time."""

import io
import struct
import zlib
from pathlib import Path

import pytest

from datasets import png
from datasets.pacs.directory import DirectorySource
from datasets.pacs.readers import export, markup, spreadsheet
from datasets.pacs.readers.document import NoAnnotations, opened
from datasets.services.harvest.order import MOST_NUMBERS, BadOrder, accession_numbers
from tests.datasets.pacs.dicom_files import ct, save

LAUGHS = (
    '<?xml version="1.0" encoding="{}"?><!DOCTYPE x [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {after} "{f"&{name};" * 10}">' for name, after in zip("abcdefgh", "bcdefghi", strict=True))
    + "]><bookmarks>&i;</bookmarks>"
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be", "utf-16-le"])
def test_entities_are_refused_in_whatever_encoding_they_come(encoding: str) -> None:
    data = LAUGHS.format(encoding).encode(encoding)
    with pytest.raises(markup.NoXml):
        markup.parsed(data)


def test_an_external_document_type_is_not_fetched(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    data = f'<!DOCTYPE x [<!ENTITY s SYSTEM "{secret.as_uri()}">]><bookmarks>&s;</bookmarks>'.encode()
    with pytest.raises(markup.NoXml, match="declares a document type, which is not read"):
        markup.parsed(data)


def test_elements_are_counted_and_so_is_how_deep_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    deep = markup.MAX_DEPTH
    assert markup.parsed(b"<a>" * deep + b"</a>" * deep) is not None
    for depth in (deep + 1, 1_000_000):
        with pytest.raises(markup.NoXml, match=f"more than {deep} deep"):
            markup.parsed(b"<a>" * depth + b"</a>" * depth)
    monkeypatch.setattr(markup, "MAX_ELEMENTS", 1000)
    with pytest.raises(markup.NoXml, match="more than 1,000 elements"):
        markup.parsed(b"<a>" + b"<b/>" * 1000 + b"</a>")


@pytest.mark.parametrize("what", ["rows", "columns"])
def test_a_table_of_nothing_but_separators_is_not_read(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheet, "MAX_ROWS", 1000)
    head = ",".join(export.REQUIRED)
    text = f"{head}\n" + ",\n" * 2000 if what == "rows" else f"{head}{',' * 2000}\n"
    with pytest.raises(NoAnnotations, match=f"more than [0-9,]+ {what}"):
        opened(text.encode())


def test_a_list_of_accession_numbers_has_an_end() -> None:
    with pytest.raises(BadOrder, match="more than 100,000 accession numbers"):
        accession_numbers(str(number) for number in range(MOST_NUMBERS + 1))


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def picture(columns: int, rows: int, *more: bytes) -> io.BytesIO:
    header = struct.pack(">IIBBBBB", columns, rows, 16, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(rows * (1 + 2 * columns)) if columns * rows < 10_000 else b"")
    return io.BytesIO(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(more) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def test_a_picture_that_claims_more_pixels_than_any_slice_is_refused_by_its_header() -> None:
    assert png.read(picture(8, 8)).shape == (8, 8)
    for side in (8193, 13_000, 60_000):
        with pytest.raises(png.BadImage):
            png.read(picture(side, side))


def test_a_text_that_inflates_without_end_is_refused() -> None:
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(64 << 20), 9))
    with pytest.raises(png.BadImage):
        png.read(picture(8, 8, text))


def test_sequences_without_end_spoil_their_own_file(tmp_path: Path) -> None:
    begin = b"\x40\x00\x30\xa7SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    end = b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    save(ct(SOPInstanceUID="1.2.1"), tmp_path / "good")
    save(ct(SOPInstanceUID="1.2.2", PixelData=None), tmp_path / "deep")
    with (tmp_path / "deep").open("ab") as file:
        file.write(begin * 5000 + end * 5000)
    source = DirectorySource(tmp_path)
    found = [each.SOPInstanceUID for study in source.studies() for each in source.instances(study)]
    assert found == ["1.2.1"]
    (problem,) = source.problems
    assert problem.place == "deep"
    assert problem.reason.startswith("its DICOM structure is damaged")
