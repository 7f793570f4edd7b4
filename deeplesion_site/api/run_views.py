"""/api/v1/runs/ and /api/v1/evaluations/: read-only, for whoever may read published releases."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view

from datasets.selectors.visibility import Visibility
from deeplesion_site.api.filters import VisibleFilterSet, name_of, number_of, one_of
from deeplesion_site.api.run_serializers import EvaluationSerializer, RunSerializer
from deeplesion_site.api.views import VisibleViewSet
from detection import selectors
from detection.models import Evaluation, TrainingRun


class RunFilter(VisibleFilterSet):
    release = name_of("Release", "Release, by its name", field_name="release")
    preset = one_of(TrainingRun.Preset.choices, "Preset", field_name="preset")
    state = one_of(TrainingRun.State.choices, "State", field_name="state")

    class Meta:
        model = TrainingRun
        fields: tuple[str, ...] = ()


class EvaluationFilter(VisibleFilterSet):
    run = number_of("run_id", "Run, by its number")
    release = name_of("Release", "Release, by its name", field_name="run__release")
    checkpoint = one_of(Evaluation.Checkpoint.choices, "Checkpoint", field_name="checkpoint")
    split = one_of(Evaluation.Split.choices, "Split", field_name="split")
    convention = one_of(Evaluation.Convention.choices, "Convention", field_name="convention")
    state = one_of(Evaluation.State.choices, "State", field_name="state")

    class Meta:
        model = Evaluation
        fields: tuple[str, ...] = ()


@extend_schema_view(
    list=extend_schema(summary="List training runs", description="Newest first."),
    retrieve=extend_schema(summary="One training run by its number"),
)
class RunViewSet(VisibleViewSet):
    serializer_class = RunSerializer
    filterset_class = RunFilter
    queryset = TrainingRun.objects.none()

    def get_queryset(self) -> QuerySet[Any]:
        # Runs are made of published releases alone.
        return TrainingRun.objects.none() if self.visibility is Visibility.NOTHING else selectors.runs()

    def order(self) -> tuple[str, ...]:
        return ("-id",)


@extend_schema_view(
    list=extend_schema(summary="List evaluations", description="Newest first."),
    retrieve=extend_schema(summary="One evaluation by its number"),
)
class EvaluationViewSet(VisibleViewSet):
    serializer_class = EvaluationSerializer
    filterset_class = EvaluationFilter
    queryset = Evaluation.objects.none()

    def get_queryset(self) -> QuerySet[Any]:
        return Evaluation.objects.none() if self.visibility is Visibility.NOTHING else selectors.evaluations()

    def order(self) -> tuple[str, ...]:
        return ("-id",)
