"""`Authorization: Bearer dl_...`: a token in place of a session, for pages' downloads as well as for the API."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from deeplesion_site.accounts import tokens


class BearerMiddleware:
    """Put the token's owner in the place of the session's, limited to the token's scopes."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            token = tokens.find(secret.strip())
            if token is None:
                return _refused(request)
            user: Any = token.owner
            user.token = token
            request.user = user
            # No browser sends this header by itself, so no other site can make one send it.
            vars(request)["_dont_enforce_csrf_checks"] = True
        return self.get_response(request)


class TokenAuthentication(BaseAuthentication):
    """What the API knows of the same token."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        user = request._request.user
        token = getattr(user, "token", None)
        return (user, token) if token is not None else None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class BearerScheme(OpenApiAuthenticationExtension):
    target_class = TokenAuthentication
    name = "accessToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "An access token from your account page."}


def _refused(request: HttpRequest) -> HttpResponseBase:
    from deeplesion_site.api.problems import unauthorized

    return unauthorized(request, "The access token is unknown, expired or revoked.")
