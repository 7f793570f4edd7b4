"""Reviews over REST: the same service as the pages, for curators alone."""

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import APIException, NotFound
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from datasets.models import Lesion, Proposal, Review
from datasets.selectors import reviews as selectors
from datasets.services import review as service
from deeplesion_site.access import Right, may
from deeplesion_site.api.pagination import KeysetPagination
from deeplesion_site.api.problems import MEDIA_TYPE, BadParameter
from deeplesion_site.api.schema import ProblemSerializer
from deeplesion_site.api.views import KnownFormats, StrictFilterBackend


class MayReview(BasePermission):
    message = "Sign in with an account that may review lesions."

    def has_permission(self, request: Request, view: Any) -> bool:
        return may(request.user, Right.REVIEW)


class Conflict(APIException):
    """Somebody else was faster."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class ReviewSerializer(serializers.ModelSerializer[Review]):
    """A verdict on a lesion, or on a pair that was proposed as one."""

    reviewer = serializers.CharField(source="reviewer.username")
    verdict_name = serializers.CharField(source="get_verdict_display")
    undone = serializers.SerializerMethodField(help_text="whether it was taken back")

    class Meta:
        model = Review
        fields = (
            "id",
            "lesion",
            "proposal",
            "verdict",
            "verdict_name",
            "note",
            "reviewer",
            "created",
            "undoes",
            "undone",
        )

    def get_undone(self, review: Review) -> bool:
        return getattr(review, "undone_by", None) is not None


class VerdictSerializer(serializers.Serializer[Any]):
    """A verdict to record: `keep`, `reject` or `split` on a lesion, `merge` or `distinct` on a proposal."""

    lesion = serializers.IntegerField(required=False, help_text="id of the lesion; or")
    proposal = serializers.IntegerField(required=False, help_text="id of the proposal")
    verdict = serializers.ChoiceField([*Review.OF_LESIONS, *Review.OF_PROPOSALS])
    seen = serializers.IntegerField(
        default=0, min_value=0, help_text="id of the newest review of it that you know of, 0 for none; else 409"
    )
    note = serializers.CharField(default="", allow_blank=True, max_length=service.LONGEST_NOTE)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("lesion" in attrs) == ("proposal" in attrs):
            raise serializers.ValidationError("Name a lesion or a proposal, and not both.")
        return attrs


class NoteSerializer(serializers.Serializer[Any]):
    note = serializers.CharField(default="", allow_blank=True, max_length=service.LONGEST_NOTE)


class ProposalSerializer(serializers.ModelSerializer[Proposal]):
    """Two lesions that may be one and wait for a verdict."""

    class Meta:
        model = Proposal
        fields = ("id", "first", "second", "reason", "value", "threshold", "distance_mm", "created")


_PROBLEMS = {
    (code, MEDIA_TYPE): OpenApiResponse(ProblemSerializer, text)
    for code, text in (
        (400, "The verdict makes no sense."),
        (401, "Nobody is signed in."),
        (403, "The account may not review lesions."),
        (404, "There is no such lesion, proposal or review."),
        (409, "Somebody else's verdict came first, or it was merged or parted meanwhile; nothing was recorded."),
    )
}


class ReviewerViewSet(GenericViewSet[Any]):
    """What curators see."""

    permission_classes = (MayReview,)
    pagination_class = KeysetPagination
    filter_backends = (StrictFilterBackend,)
    content_negotiation_class = KnownFormats

    def order(self) -> tuple[str, ...]:
        return ("-id",)


@extend_schema_view(
    list=extend_schema(summary="List verdicts", description="Newest first, those that were taken back included."),
    retrieve=extend_schema(summary="One verdict"),
)
class ReviewViewSet(ListModelMixin, RetrieveModelMixin, ReviewerViewSet):
    serializer_class = ReviewSerializer

    def get_queryset(self) -> QuerySet[Review]:
        return selectors.reviews()

    @extend_schema(
        summary="Record a verdict", request=VerdictSerializer, responses={201: ReviewSerializer, **_PROBLEMS}
    )
    def create(self, request: Request) -> Response:
        given = _checked(VerdictSerializer(data=request.data))
        lesion, proposal = given.pop("lesion", None), given.pop("proposal", None)
        given["reviewer"] = request.user
        if lesion is not None:
            found = Lesion.objects.filter(pk=lesion).first()
            made = _recorded(lambda: service.review_lesion(lesion=_or_404(found), **given))
        else:
            pair = selectors.proposal(int(proposal))
            made = _recorded(lambda: service.review_proposal(proposal=_or_404(pair), **given))
        return Response(ReviewSerializer(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(
        summary="Take a verdict back", request=NoteSerializer, responses={201: ReviewSerializer, **_PROBLEMS}
    )
    @action(detail=True, methods=["post"])
    def undo(self, request: Request, pk: str = "") -> Response:
        given = _checked(NoteSerializer(data=request.data))
        review = selectors.review(int(pk)) if pk.isdecimal() and len(pk) < 19 else None
        made = _recorded(lambda: service.undo(review=_or_404(review), reviewer=request.user, **given))
        return Response(ReviewSerializer(made).data, status=status.HTTP_201_CREATED)


@extend_schema_view(list=extend_schema(summary="List pairs that wait for a verdict"))
class ProposalViewSet(ListModelMixin, ReviewerViewSet):
    serializer_class = ProposalSerializer

    def get_queryset(self) -> QuerySet[Proposal]:
        return selectors.pairs("waiting", selectors.Wish())


def _checked(serializer: serializers.Serializer[Any]) -> dict[str, Any]:
    if not serializer.is_valid():
        raise BadParameter({str(name): list(map(str, reasons)) for name, reasons in serializer.errors.items()})
    return dict(serializer.validated_data)


def _or_404(found: Any) -> Any:
    if found is None:
        raise NotFound("There is nothing of that number to judge.")
    return found


def _recorded(give: Callable[[], Review]) -> Review:
    try:
        return give()
    except service.BadReview as error:
        raise BadParameter({"verdict": [str(error)]}) from error
    except (service.JudgedMeanwhile, service.NotThereAnyMore) as error:
        raise Conflict(str(error)) from error
