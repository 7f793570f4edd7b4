"""Errors as application/problem+json (RFC 9457)."""

from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions, status
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import set_rollback

MEDIA_TYPE = "application/problem+json"


class BadParameter(exceptions.APIException):
    """A query parameter is not known or has a value that makes no sense."""

    status_code = status.HTTP_400_BAD_REQUEST
    default_code = "bad_parameter"

    def __init__(self, errors: dict[str, list[str]]) -> None:
        self.errors = [{"parameter": name, "reason": reason} for name, reasons in errors.items() for reason in reasons]
        super().__init__("; ".join(f"{error['parameter']}: {error['reason']}" for error in self.errors))


def body(code: int, detail: str, **more: Any) -> dict[str, Any]:
    """The members of a problem; `type` is left at about:blank, so `title` is the status' own phrase."""
    return {"type": "about:blank", "title": HTTPStatus(code).phrase, "status": code, "detail": detail, **more}


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """Turn what a view raised into a problem; what is not the client's fault goes on to Django."""
    if isinstance(error, Http404):
        error = exceptions.NotFound("There is nothing at this address, or nothing that you may see.")
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    if not isinstance(error, exceptions.APIException):
        return None
    set_rollback()
    more = {"errors": error.errors} if isinstance(error, BadParameter) else {}
    headers = {"Allow": ", ".join(context["view"].allowed_methods)} if error.status_code == 405 else {}
    detail = error.detail if isinstance(error.detail, str) else str(error.detail)
    response = Response(body(error.status_code, detail, **more), status=error.status_code, headers=headers)
    response.content_type = MEDIA_TYPE
    request = context["request"]
    # Whatever the client accepts, an error has one form.
    request.accepted_renderer, request.accepted_media_type = JSONRenderer(), MEDIA_TYPE
    return response


def unauthorized(request: HttpRequest, detail: str) -> JsonResponse:
    """A program did not say who it is, or not validly."""
    answer = respond(request, 401, detail)
    answer["WWW-Authenticate"] = "Bearer"
    return answer


def respond(request: HttpRequest, code: int, detail: str) -> JsonResponse:
    """A problem from outside the API's views: unknown address, failure."""
    return JsonResponse(body(code, detail), status=code, content_type=MEDIA_TYPE)
