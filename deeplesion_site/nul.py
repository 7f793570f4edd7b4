"""The character NUL, which PostgreSQL stores in no text: a request that brings it is refused in one place.

Looked at are the path, the query, the fields of a form, and cookies, one of which names a session; the API's parser
looks at JSON.
"""

from collections.abc import Callable, Iterator
from typing import Any

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponseBase, QueryDict, UnreadablePostError

NUL = "\0"
API = "/api/"


class HoldsNul(BadRequest):
    """A part of the request holds the character NUL."""


class NulMiddleware:
    """Answers 400 before anything is looked up."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if any(NUL in text for text in (request.path_info, *request.COOKIES.values(), *_texts(request.GET))):
            raise HoldsNul
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        """Look at a form where Django reads it in any case, to compare its CSRF token; the API reads no forms."""
        if request.method == "POST" and not request.path_info.startswith(API):
            try:
                given = request.POST
            except UnreadablePostError:
                return
            if any(NUL in text for text in _texts(given)):
                raise HoldsNul


def _texts(given: QueryDict) -> Iterator[str]:
    for name, values in given.lists():
        yield name
        yield from values
