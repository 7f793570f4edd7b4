"""/api/v1/jobs/: the same service as the pages, for administrators."""

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_field,
    extend_schema_view,
)
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from datasets.selectors.visibility import Visibility
from deeplesion_site import jobs
from deeplesion_site.access import Right, may
from deeplesion_site.api.filters import VisibleFilterSet, name_of, one_of
from deeplesion_site.api.pagination import KeysetPagination
from deeplesion_site.api.problems import MEDIA_TYPE, BadParameter
from deeplesion_site.api.review_views import Conflict
from deeplesion_site.api.schema import ProblemSerializer
from deeplesion_site.api.views import KnownFormats, StrictFilterBackend
from deeplesion_site.cost import cost
from workers import kinds
from workers.errors import InvalidParams, JobRefused, UnknownKind
from workers.models import Job, JobEvent

KINDS = [(kind.name, kind.title) for kind in kinds.ALL]
KEY = "Idempotency-Key"
LONGEST_KEY = 128


class MayRunJobs(BasePermission):
    message = "Sign in with an account that may run jobs."

    def has_permission(self, request: Request, view: Any) -> bool:
        return may(request.user, Right.SEE_JOBS if request.method in SAFE_METHODS else Right.RUN_JOBS)


class JobFilter(VisibleFilterSet):
    state = one_of(Job.State.choices, "State", field_name="state")
    kind = one_of(KINDS, "Kind", field_name="kind")
    owner = name_of("Owner", "Who started it, by the name of the account", field_name="owner__username")

    class Meta:
        model = Job
        fields: tuple[str, ...] = ()


class JobSerializer(serializers.ModelSerializer[Job]):
    """Work that takes time."""

    owner = serializers.CharField(source="owner.username", allow_null=True, default=None, help_text="who started it")
    params = serializers.DictField(help_text="what it was asked to do; what was left out is filled in")
    result = serializers.DictField(help_text="what it found and made, once it has succeeded")
    percent = serializers.IntegerField(allow_null=True, help_text="share done; null while the total is not known")

    class Meta:
        model = Job
        fields = (
            "id", "kind", "title", "state", "queue", "owner", "params", "attempt", "attempts_allowed", "not_before",
            "done", "total", "unit", "percent", "message", "result", "created", "started", "finished",
        )  # fmt: skip


class EventSerializer(serializers.ModelSerializer[JobEvent]):
    """A line of a job's log."""

    class Meta:
        model = JobEvent
        fields = ("id", "kind", "attempt", "at", "text")


class WishSerializer(serializers.Serializer[Any]):
    """A job to start."""

    kind = serializers.CharField(max_length=32, help_text=", ".join(f"`{name}` {title}" for name, title in KINDS))
    params = serializers.DictField(default=dict, help_text="of the kind; a mistake is answered by its name")


class FactSerializer(serializers.Serializer[Any]):
    """A part of the cost, in words."""

    name = serializers.CharField()
    words = serializers.CharField()


class CostSerializer(serializers.Serializer[Any]):
    """What a job would cost; null stands for what is not known before it runs."""

    rows = serializers.IntegerField(source="needs.rows", allow_null=True, help_text="lesions, or rows of a table")
    slices = serializers.IntegerField(source="needs.slices", allow_null=True, help_text="that it looks at or takes")
    disk_bytes = serializers.IntegerField(source="needs.kept", allow_null=True, help_text="about so many stay")
    passing_bytes = serializers.IntegerField(source="needs.passing", help_text="about so many more while it works")
    free_bytes = serializers.IntegerField(source="free", help_text="free on the disk of the worker, or of the site")
    enough = serializers.BooleanField(allow_null=True, help_text="whether it fits on the disk")
    queue = serializers.CharField()
    workers = serializers.IntegerField(help_text="that serve the queue; without one the job waits")
    gpus = serializers.ListField(
        child=serializers.CharField(), allow_null=True, help_text="of these workers; null where none has said it"
    )
    facts = serializers.SerializerMethodField(help_text="the same in words, as the form says it")

    @extend_schema_field(FactSerializer(many=True))
    def get_facts(self, told: cost.Cost) -> list[dict[str, str]]:
        return [{"name": name, "words": words} for name, words in told.lines()]


def _problems(*codes: int) -> dict[Any, OpenApiResponse]:
    texts = {
        400: "The kind or a parameter makes no sense; `errors` has a sentence for each.",
        401: "Nobody is signed in.",
        403: "The account, or its token, may not run jobs.",
        404: "There is no such job.",
        409: "The job's state does not allow it, or the key was used for something else; nothing was changed.",
    }
    return {(code, MEDIA_TYPE): OpenApiResponse(ProblemSerializer, texts[code]) for code in codes}


@extend_schema_view(
    list=extend_schema(summary="List jobs", description="Newest first."), retrieve=extend_schema(summary="One job")
)
class JobViewSet(ListModelMixin, RetrieveModelMixin, GenericViewSet[Any]):
    permission_classes = (MayRunJobs,)
    pagination_class = KeysetPagination
    filter_backends = (StrictFilterBackend,)
    filterset_class = JobFilter
    content_negotiation_class = KnownFormats
    serializer_class = JobSerializer
    queryset = Job.objects.none()
    visibility = Visibility.EVERYTHING
    lookup_value_regex = "[0-9]{1,18}"

    def get_queryset(self) -> QuerySet[Job]:
        return Job.objects.select_related("owner")

    def order(self) -> tuple[str, ...]:
        return ("id",) if self.action == "events" else ("-id",)

    @extend_schema(
        summary="Start a job",
        description="What is asked for again while an equal job is queued or running, or with the key of a "
        "job, gives that job with status 200.",
        request=WishSerializer,
        parameters=[
            OpenApiParameter(
                KEY, OpenApiTypes.STR, OpenApiParameter.HEADER, description="Asked twice with one key, it is one job."
            )
        ],
        responses={201: JobSerializer, 200: JobSerializer, **_problems(400, 401, 403, 409)},
    )
    def create(self, request: Request) -> Response:
        wish = _wish(request)
        key = request.headers.get(KEY)
        if key is not None and not (0 < len(key) <= LONGEST_KEY and key.isprintable()):
            raise BadParameter({KEY: [f"A key has 1 to {LONGEST_KEY} printable characters."]})
        job, new = _answered(lambda: jobs.start(**wish, by=request.user, key=key))
        address = request.build_absolute_uri(reverse("api-job-detail", args=[job.pk]))
        code = status.HTTP_201_CREATED if new else status.HTTP_200_OK
        return Response(JobSerializer(job).data, status=code, headers={"Location": address})

    @extend_schema(
        summary="What a job would cost",
        description="As its form tells it: rows, slices, disk, and whether a worker and a GPU are there. Nothing is "
        "queued or kept, and no PACS is asked.",
        request=WishSerializer,
        responses={200: CostSerializer, **_problems(400, 401, 403)},
        filters=False,
    )
    @action(detail=False, methods=["post"], url_path="cost", url_name="cost")
    def estimate(self, request: Request) -> Response:
        wish = _wish(request)
        return Response(CostSerializer(_answered(lambda: cost.of(**wish))).data)

    @extend_schema(
        summary="The log of a job",
        description="In its order.",
        filters=False,
        responses={200: EventSerializer(many=True), **_problems(401, 403, 404)},
    )
    @action(detail=True)
    def events(self, request: Request, pk: str) -> Response:
        rows = self.paginate_queryset(JobEvent.objects.filter(job=self._job(pk)))
        return self.get_paginated_response(EventSerializer(rows, many=True).data)

    @extend_schema(
        summary="Cancel a job",
        description="A queued one ends at once, a running one within seconds.",
        request=None,
        responses={200: JobSerializer, **_problems(401, 403, 404, 409)},
    )
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        job = self._job(pk)
        return Response(JobSerializer(_answered(lambda: jobs.cancel(pk=job.pk, by=request.user))).data)

    @extend_schema(
        summary="Queue a failed or cancelled job once more",
        request=None,
        responses={200: JobSerializer, **_problems(401, 403, 404, 409)},
    )
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        job = self._job(pk)
        return Response(JobSerializer(_answered(lambda: jobs.retry(pk=job.pk, by=request.user))).data)

    def _job(self, pk: str) -> Job:
        job = self.get_queryset().filter(pk=int(pk)).first()
        if job is None:
            raise NotFound("There is no such job.")
        return job


def _wish(request: Request) -> dict[str, Any]:
    wish = WishSerializer(data=request.data)
    if not wish.is_valid():
        raise BadParameter({str(name): list(map(str, reasons)) for name, reasons in wish.errors.items()})
    return dict(wish.validated_data)


def _answered(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except UnknownKind as error:
        raise BadParameter({"kind": [str(error)]}) from error
    except InvalidParams as error:
        raise BadParameter({f"params.{name}": [reason] for name, reason in error.mistakes.items()}) from error
    except JobRefused as error:
        raise Conflict(str(error)) from error
