"""The text of DL_info.csv, record by record: one that cannot be read spoils no other."""

import csv
import io
from collections.abc import Iterable, Iterator

LONGEST = csv.field_size_limit()
"""Characters of one cell."""

NOT_UTF_8 = "surrogateescape"
"""How to open the file, so that a byte that is no text in UTF-8 stays what it is until its cell is asked for."""

_BYTE_ORDER_MARKS = ("\udcff\udcfe", "\udcfe\udcff")


def records(file: Iterable[str]) -> Iterator[tuple[int, list[str], bool]]:
    """Give each record: the number of its last line, its cells, and whether the last of them is too long.

    The cells behind one that is longer than `LONGEST` are left out.
    """
    taken: list[str] = []

    def watched() -> Iterator[str]:
        for text in file:
            taken.append(text)
            yield text

    reader = csv.reader(watched())
    while True:
        taken.clear()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield reader.line_num, _up_to_too_long("".join(taken)), True
        else:
            yield reader.line_num, cells, False


def is_utf_8(text: str) -> bool:
    """Whether a cell holds no byte that `NOT_UTF_8` let through."""
    return text.isascii() or not any("\udc80" <= character <= "\udcff" for character in text)


def looks_like_utf_16(header: str) -> bool:
    """Whether a file begins as text does in UTF-16, with its byte order mark or without."""
    return header.startswith(_BYTE_ORDER_MARKS) or "\0" in header[:2]


def _up_to_too_long(text: str) -> list[str]:
    # Of the ends that lie LONGEST apart, the last one that can be read is within the cell.
    found: list[str] = []
    for end in range(LONGEST, len(text) + LONGEST, LONGEST):
        try:
            found = next(csv.reader(io.StringIO(text[:end], newline="")))
        except csv.Error:
            break
    return found
