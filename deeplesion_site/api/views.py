"""The read-only endpoints of /api/v1/."""

from typing import Any

from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.decorators import action
from rest_framework.metadata import SimpleMetadata
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ReadOnlyModelViewSet

from datasets.models import Lesion
from datasets.selectors import lesions as lesion_selectors
from datasets.selectors import said
from datasets.selectors import visibility as visible
from deeplesion_site import access, lesion_csv
from deeplesion_site.access import Right
from deeplesion_site.accounts import agreements
from deeplesion_site.api.filters import LesionFilter
from deeplesion_site.api.pagination import KeysetPagination
from deeplesion_site.api.place_filters import PatientFilter, SeriesFilter, StudyFilter
from deeplesion_site.api.problems import BadParameter
from deeplesion_site.api.read_only import ReadOnly
from deeplesion_site.api.renderers import LesionCSVRenderer
from deeplesion_site.api.said_serializers import SaidOfLesionSerializer, SaidOfSeriesSerializer
from deeplesion_site.api.serializers import (
    CollectionSerializer,
    LesionSerializer,
    PatientSerializer,
    ReleaseSerializer,
    SeriesSerializer,
    StudySerializer,
)

_PAGING = {"cursor", "page_size", "format"}


class StrictFilterBackend(DjangoFilterBackend):
    """Refuse parameters that are unknown or make no sense, instead of quietly giving everything."""

    def filter_queryset(self, request: Request, queryset: Any, view: Any) -> Any:
        known = self._known(view)
        unknown = sorted(set(request.query_params) - known)
        if unknown:
            raise BadParameter(
                {name: [f"unknown parameter; known are {', '.join(sorted(known))}."] for name in unknown}
            )
        filterset = self.get_filterset(request, queryset, view)
        if filterset is None:
            return queryset
        if not filterset.is_valid():
            raise BadParameter({name: list(map(str, reasons)) for name, reasons in filterset.errors.items()})
        view.filterset = filterset
        return filterset.qs

    def get_filterset_kwargs(self, request: Request, queryset: Any, view: Any) -> dict[str, Any]:
        kwargs = super().get_filterset_kwargs(request, queryset, view)
        return kwargs | {"visibility": view.visibility}

    def _known(self, view: Any) -> set[str]:
        if view.detail:
            return {"format"}
        filterset = getattr(view, "filterset_class", None)
        return _PAGING | set(filterset.base_filters if filterset else ())


class KnownFormats(DefaultContentNegotiation):
    """A format that is not there is a bad parameter, not a missing page."""

    def filter_renderers(self, renderers: Any, format: str) -> Any:
        found = [renderer for renderer in renderers if renderer.format == format]
        if not found:
            known = ", ".join(renderer.format for renderer in renderers)
            raise BadParameter({"format": [f"{format[:20]!r} is not one of {known}."]})
        return found


class NamedFormats(SimpleMetadata):
    """The answer to OPTIONS names the formats of what was asked about."""

    def determine_metadata(self, request: Request, view: Any) -> Any:
        return {**super().determine_metadata(request, view), "renders": [each.media_type for each in view.formats()]}


class VisibleViewSet(ReadOnly, ReadOnlyModelViewSet[Any]):
    """Rows that the account may see, by key."""

    pagination_class = KeysetPagination
    filter_backends = (StrictFilterBackend,)
    content_negotiation_class = KnownFormats
    metadata_class = NamedFormats

    def formats(self) -> list[type[BaseRenderer]]:
        """What a list or, where `self.detail` is, a single row can be had as."""
        return [JSONRenderer]

    @property
    def visibility(self) -> visible.Visibility:
        if getattr(self, "swagger_fake_view", False):
            return visible.Visibility.NOTHING
        return access.visibility(self.request.user)

    def order(self) -> tuple[str, ...]:
        return ("id",)


@extend_schema_view(
    list=extend_schema(summary="List collections"), retrieve=extend_schema(summary="One collection by its slug")
)
class CollectionViewSet(VisibleViewSet):
    serializer_class = CollectionSerializer
    lookup_field = "slug"

    def get_queryset(self) -> QuerySet[Any]:
        return visible.collections(self.visibility)


@extend_schema_view(list=extend_schema(summary="List patients"), retrieve=extend_schema(summary="One patient"))
class PatientViewSet(VisibleViewSet):
    serializer_class = PatientSerializer
    filterset_class = PatientFilter

    def get_queryset(self) -> QuerySet[Any]:
        return visible.patients(self.visibility).select_related("collection")


@extend_schema_view(list=extend_schema(summary="List studies"), retrieve=extend_schema(summary="One study"))
class StudyViewSet(VisibleViewSet):
    serializer_class = StudySerializer
    filterset_class = StudyFilter

    def get_queryset(self) -> QuerySet[Any]:
        return visible.studies(self.visibility).select_related("patient__collection")


@extend_schema_view(list=extend_schema(summary="List series"), retrieve=extend_schema(summary="One series"))
class SeriesViewSet(VisibleViewSet):
    serializer_class = SeriesSerializer
    filterset_class = SeriesFilter

    def get_queryset(self) -> QuerySet[Any]:
        return visible.series(self.visibility).select_related("study__patient__collection")

    @extend_schema(
        summary="Scores along one series",
        description="What each body-part regressor said of its slices, newest regressor first.",
        responses=SaidOfSeriesSerializer(many=True),
    )
    @action(detail=True, filterset_class=None, pagination_class=None)
    def locations(self, request: Request, **_: Any) -> Response:
        found = said.of_series(self.get_object(), self.visibility)
        return Response(SaidOfSeriesSerializer(found, many=True).data)


@extend_schema_view(
    list=extend_schema(
        summary="List lesions",
        description="With `?format=csv` every lesion that passes the filters comes as CSV, streamed in one response, "
        "to accounts that may download and have signed for a release that each lesion is of; it is logged.",
    ),
    retrieve=extend_schema(summary="One lesion"),
)
class LesionViewSet(VisibleViewSet):
    serializer_class = LesionSerializer
    filterset_class = LesionFilter
    filterset: LesionFilter

    def formats(self) -> list[type[BaseRenderer]]:
        return [JSONRenderer] if self.detail else [JSONRenderer, LesionCSVRenderer]

    def get_renderers(self) -> list[Any]:
        return [each() for each in (self.formats() if self.action == "list" else [JSONRenderer])]

    def get_queryset(self) -> QuerySet[Lesion]:
        if self.detail:
            return lesion_selectors.with_place(visible.lesions(self.visibility), self.visibility)
        return lesion_selectors.with_place(lesion_selectors.listed(self.visibility), self.visibility)

    def order(self) -> tuple[str, ...]:
        return self.filterset.order

    @extend_schema(
        summary="Places of one lesion",
        description="What each body-part regressor said of it, newest regressor first; `chosen` is the one whose "
        "place the lesion has.",
        responses=SaidOfLesionSerializer(many=True),
    )
    @action(detail=True, filterset_class=None, pagination_class=None)
    def locations(self, request: Request, **_: Any) -> Response:
        return Response(SaidOfLesionSerializer(said.of_lesion(self.get_object()), many=True).data)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        if request.accepted_renderer.format == "csv":
            rows = self.filter_queryset(lesion_selectors.listed(self.visibility))
            if not access.may(request.user, Right.DOWNLOAD):
                self.permission_denied(request, "Sign in with an account that may download releases.")
            release = agreements.first_unsigned(request.user, rows, self.visibility)
            if release is not None:
                self.permission_denied(request, agreements.sentence(release))
            query = request.query_params.urlencode()
            return lesion_csv.answer(request.user, rows.order_by(*self.order()), self.visibility, query)
        return super().list(request, *args, **kwargs)


@extend_schema_view(
    list=extend_schema(summary="List releases", description="Newest first."),
    retrieve=extend_schema(summary="One release by its name"),
)
class ReleaseViewSet(VisibleViewSet):
    serializer_class = ReleaseSerializer
    lookup_field = "name"
    lookup_value_regex = "[a-z0-9][a-z0-9._-]*"

    def get_queryset(self) -> QuerySet[Any]:
        return visible.releases(self.visibility)

    def order(self) -> tuple[str, ...]:
        return ("-id",)
