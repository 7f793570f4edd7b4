"""Texts that somebody typed, as cells of a CSV that people open in a spreadsheet, where `=1+1` would be computed."""

COMPUTED = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet takes for a formula."""


def text(cell: str) -> str:
    """The cell with an apostrophe before it where a spreadsheet would compute it. Source: OWASP, CSV Injection."""
    return f"'{cell}" if cell.startswith(COMPUTED) else cell
