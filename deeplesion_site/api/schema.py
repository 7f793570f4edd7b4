"""The OpenAPI schema says what is true of every operation: its errors, and that published data need no account."""

from typing import Any

from django.conf import settings
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer

from deeplesion_site.api.permissions import ReadPublished
from deeplesion_site.api.problems import MEDIA_TYPE


class ParameterErrorSerializer(serializers.Serializer[Any]):
    parameter = serializers.CharField()
    reason = serializers.CharField(help_text="what would have been taken")


class ProblemSerializer(serializers.Serializer[Any]):
    """An error (RFC 9457)."""

    type = serializers.CharField(help_text="about:blank: `title` is the status' own phrase")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text="one sentence for a person")

    def get_fields(self) -> dict[str, Any]:
        """`errors` among them, which a serializer has a property of its own for."""
        errors = ParameterErrorSerializer(many=True, required=False, help_text="of status 400: each bad parameter")
        return {**super().get_fields(), "errors": errors}


PROBLEMS = {
    400: "A parameter is not known or makes no sense; `errors` names it and what it would have taken.",
    401: "Nobody may read without an account, or the access token is unknown, expired or revoked.",
    403: "The account may not read published releases, or its token may not.",
    404: "There is nothing at this address, or nothing that you may see.",
    406: "None of the formats that were asked for.",
}


class ProblemSchema(AutoSchema):
    """Adds what is not JSON, and the answers that `deeplesion_site.api.problems` gives."""

    def get_auth(self) -> list[Any]:
        """Nobody needs an account where published releases are open to all."""
        auths = super().get_auth()
        open_to_all = settings.PUBLIC_READ and any(
            isinstance(item, ReadPublished) for item in self.view.get_permissions()
        )
        return [*auths, {}] if open_to_all else auths

    def get_response_serializers(self) -> Any:
        own = super().get_response_serializers()
        texts = {
            (200, renderer.media_type): OpenApiTypes.STR
            for renderer in self.view.get_renderers()
            if not isinstance(renderer, JSONRenderer)
        }
        problems = {
            (code, MEDIA_TYPE): OpenApiResponse(ProblemSerializer, description)
            for code, description in PROBLEMS.items()
            if code != 404 or "{" in self.path
        }
        return {(200, JSONRenderer.media_type): own, **texts, **problems}
