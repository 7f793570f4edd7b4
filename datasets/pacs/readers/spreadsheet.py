"""Tables as spreadsheets save them: the encodings, separators and decimal commas of many countries."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterator
from itertools import chain

SEPARATORS = (",", ";", "\t")

MAX_ROWS, MAX_COLUMNS = 200_000, 500
"""More than any export has; a row of separators alone takes many times its bytes in memory."""

UTF_16 = (b"\xff\xfe", b"\xfe\xff")
"""What UTF-16 begins with."""

STATED_SEPARATOR = re.compile(r'"?sep=([,;\t])"?[ \t]*(?:\r\n?|\n)', re.IGNORECASE)
"""A first line that is for the spreadsheet alone."""

TEXT_FORMULA = re.compile(r'="(.*)"', re.DOTALL)
"""How exports keep a spreadsheet from taking 0815 for a number."""

DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")


class NoTable(ValueError):
    """The bytes are no table with the columns that are needed; one phrase says why."""


def rows_of(data: bytes, needed: Collection[str], known: Collection[str]) -> list[dict[str, str]]:
    """Read a table whose first line names its columns, in any case.

    Parameters
    ----------
    needed : columns without which it is another table.
    known : columns that must not come twice.

    Raises
    ------
    NoTable
    """
    text = _text(data)
    stated = STATED_SEPARATOR.match(text)
    body = text[stated.end() :] if stated else text
    try:
        for separator in [stated[1]] if stated else SEPARATORS:
            reader = csv.reader(io.StringIO(body, newline=""), delimiter=separator, skipinitialspace=True)
            names = [name.strip().lower() for name in next(reader, [])]
            if set(needed) <= set(names):
                return list(_rows(names, reader, known))
    except csv.Error:
        raise NoTable("it is no CSV file") from None
    raise NoTable("its first line does not name the columns of an export of bookmarks")


def begins_with(data: bytes, sign: str) -> bool:
    """Tell whether a text begins with an ASCII character, whatever its encoding."""
    if data.startswith(UTF_16):
        return data[2:4].strip(b"\0") == sign.encode()
    return data.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n").startswith(sign.encode())


def _rows(names: list[str], reader: Iterator[list[str]], known: Collection[str]) -> Iterator[dict[str, str]]:
    if len(names) > MAX_COLUMNS:
        raise NoTable(f"it has more than {MAX_COLUMNS} columns")
    for name in known:
        if names.count(name) > 1:
            raise NoTable(f"its first line names the column {name} twice")
    for number, values in enumerate(reader):
        if number == MAX_ROWS:
            raise NoTable(f"it has more than {MAX_ROWS:,} rows")
        if any(map(str.strip, values)):
            yield dict(zip(names, chain(map(_value, values), [""] * len(names)), strict=False))


def _value(text: str) -> str:
    text = text.strip()
    formula = TEXT_FORMULA.fullmatch(text)
    return formula[1].strip() if formula else text


def decimal(text: str) -> str:
    """The same number with a point, where it has a comma."""
    return text.replace(",", ".") if DECIMAL_COMMA.fullmatch(text) else text


def _text(data: bytes) -> str:
    if data.startswith(UTF_16):
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError:
            raise NoTable("it ends in the middle of a character, or is no UTF-16") from None
    if b"\0" in data:
        raise NoTable("it holds zero bytes; save it as UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")
