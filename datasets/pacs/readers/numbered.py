"""Numbers that a PACS gives to bookmarks and follow-up sets, B06 of F03, told from everything that looks like them.

They are published. In free text F4711 may be a patient and B 1204 a ward, so only what holds nothing else is read: a
column of an export that is meant for them, and a Tracking Identifier.
"""

import re

NUMBER = re.compile(r"[BF]\d{1,3}", re.IGNORECASE)


NAME = re.compile(r"((?:[^\W\d_]+[ _-]?){1,3}?)0*([1-9]\d?)")


def name_in(words: str) -> str:
    """A lesion's own name of a few words and a small number, as in `Target lesion 2`; "" for anything else.

    It may say who the patient is all the same, so it is for keyed hashes alone.
    """
    found = NAME.fullmatch(" ".join(words.split()).casefold())
    return f"{found[1]}{found[2]}" if found and not NUMBER.fullmatch(found[0]) else ""


def numbered(letter: str, words: str) -> str:
    """The number of a bookmark (B) or follow-up set (F), as in B06; "" where there is none, or anything beside."""
    numbers = [word.upper() for word in words.split() if word.lower() != "of"]
    if not all(map(NUMBER.fullmatch, numbers)):
        return ""
    return next((f"{letter}{int(number[1:]):02d}" for number in numbers if number[0] == letter), "")
