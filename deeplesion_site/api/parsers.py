"""What a client sends, read only as far as any honest request goes.

How large a body may be is for Django to say (DATA_UPLOAD_MAX_MEMORY_SIZE).
"""

import re
from collections.abc import Iterator, Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

UNSTORABLE = re.compile("[\0\ud800-\udfff]")
"""What PostgreSQL, or UTF-8, has no place for; JSON can escape both."""


class ShallowJSONParser(JSONParser):
    """JSON that Python's own parser does not get lost in, of characters that can be stored."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            found = super().parse(stream, media_type, parser_context)
            unstorable = any(UNSTORABLE.search(text) for text in _texts(found))
        except RecursionError:
            raise ParseError("The JSON is nested too deep.") from None
        if unstorable:
            raise ParseError("The JSON holds the character NUL or half a character, which no text here can.")
        return found


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value, names included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value:
            yield from _texts(each)
        if isinstance(value, dict):
            yield from _texts(list(value.values()))
