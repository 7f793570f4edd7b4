"""The API's front door: what there is."""

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from deeplesion_site.api.read_only import ReadOnly

ROUTES = {
    "collections": "api-collection-list",
    "patients": "api-patient-list",
    "studies": "api-study-list",
    "series": "api-series-list",
    "lesions": "api-lesion-list",
    "releases": "api-release-list",
    "runs": "api-run-list",
    "evaluations": "api-evaluation-list",
    "schema": "api-schema",
    "documentation": "api-docs",
}


class RootSerializer(serializers.Serializer[Any]):
    """The address of each list, of this schema, and of the page that explains it."""

    def get_fields(self) -> dict[str, Any]:
        return {name: serializers.URLField() for name in ROUTES}


class Root(ReadOnly):
    """Where the lists are."""

    permission_classes = (AllowAny,)

    @extend_schema(summary="What there is", responses=RootSerializer, tags=["api"])
    def get(self, request: Request) -> Response:
        return Response({name: request.build_absolute_uri(reverse(route)) for name, route in ROUTES.items()})


class Schema(ReadOnly, SpectacularAPIView):
    """The OpenAPI schema."""

    permission_classes = (AllowAny,)
