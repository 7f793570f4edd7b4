"""Error pages; the API, and whoever comes with an access token, get a problem document instead."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from deeplesion_site.api import problems

API = "/api/"


def bad_request(request: HttpRequest, exception: Any = None) -> HttpResponse:
    return _answer(request, 400, "The request cannot be understood.")


def forbidden(request: HttpRequest, exception: Any = None) -> HttpResponse:
    # Only our own sentences are repeated; Django's middleware raises others.
    own = str(exception) if getattr(getattr(request, "user", None), "token", None) is not None else ""
    return _answer(request, 403, own or "Your account may not see this.")


def not_found(request: HttpRequest, exception: Any = None) -> HttpResponse:
    return _answer(request, 404, "There is nothing at this address, or nothing that you may see.")


def failed(request: HttpRequest) -> HttpResponse:
    return _answer(request, 500, "Something went wrong on our side.")


def _answer(request: HttpRequest, code: int, sentence: str) -> HttpResponse:
    if request.path.startswith(API) or getattr(getattr(request, "user", None), "token", None) is not None:
        return problems.respond(request, code, sentence)
    return render(request, f"{code}.html", status=code)
