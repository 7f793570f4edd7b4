"""Error pages; the API, and whoever comes with an access token, get a problem document instead."""

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from deeplesion_site.api import problems
from deeplesion_site.nul import HoldsNul
from deeplesion_site.uploads import NothingIsUploaded

API = "/api/"

REFUSED: dict[type[Exception], str] = {
    NothingIsUploaded: "Files cannot be uploaded here.",
    HoldsNul: "A part of the address or of the form holds the character NUL, which no text here can.",
    RequestDataTooBig: f"A request may have {settings.DATA_UPLOAD_MAX_MEMORY_SIZE / 2**20:g} MB at most.",
    TooManyFieldsSent: f"A form may have {settings.DATA_UPLOAD_MAX_NUMBER_FIELDS:,} fields at most.",
}
"""What a request must not bring."""


def bad_request(request: HttpRequest, exception: Any = None) -> HttpResponse:
    own = next((sentence for kind, sentence in REFUSED.items() if isinstance(exception, kind)), "")
    return _answer(request, 400, own or "A part of the address or of the form makes no sense here.")


def forbidden(request: HttpRequest, exception: Any = None) -> HttpResponse:
    # Only our own sentences are repeated; Django's middleware raises others.
    own = str(exception) if getattr(getattr(request, "user", None), "token", None) is not None else ""
    return _answer(request, 403, own or "Your account may not see this.")


def not_found(request: HttpRequest, exception: Any = None) -> HttpResponse:
    return _answer(request, 404, "There is nothing at this address, or nothing that you may see.")


def failed(request: HttpRequest) -> HttpResponse:
    return _answer(request, 500, "Something went wrong on our side.")


def unavailable(request: HttpRequest, sentence: str) -> HttpResponse:
    """Something of ours is damaged: nothing is served in its place until it is mended."""
    return _answer(request, 503, sentence)


def _answer(request: HttpRequest, code: int, sentence: str) -> HttpResponse:
    if request.path.startswith(API) or getattr(getattr(request, "user", None), "token", None) is not None:
        return problems.respond(request, code, sentence)
    return render(request, f"{code}.html", {"sentence": sentence}, status=code)
