"""What the API says of the detector's runs and evaluations."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from detection.models import Evaluation, TrainingRun


class RunSerializer(serializers.ModelSerializer[TrainingRun]):
    """One detector, trained on a release or on its way."""

    options = serializers.DictField(help_text="what was asked for beyond the preset")
    evaluations = serializers.SerializerMethodField(help_text="numbers of its evaluations, newest first")

    class Meta:
        model = TrainingRun
        fields = (
            "id",
            "release",
            "release_sha256",
            "preset",
            "seed",
            "fraction",
            "start_weights",
            "weights",
            "options",
            "state",
            "message",
            "step",
            "steps",
            "seconds",
            "device",
            "code_version",
            "torch_version",
            "created",
            "started",
            "finished",
            "evaluations",
        )

    @extend_schema_field(serializers.ListField(child=serializers.IntegerField()))
    def get_evaluations(self, run: TrainingRun) -> list[int]:
        return [each.pk for each in run.evaluations.all()]


class EvaluationSerializer(serializers.ModelSerializer[Evaluation]):
    """A run's result in one split."""

    sensitivity = serializers.DictField(
        child=serializers.FloatField(), help_text="by false positives per image; empty until it is done"
    )
    average_band = serializers.SerializerMethodField(help_text="95% band over patients, null until it is done")
    detections_url = serializers.SerializerMethodField(help_text="detections.csv, null until it is done")
    report_url = serializers.SerializerMethodField(help_text="report.json, null until it is done")

    class Meta:
        model = Evaluation
        fields = (
            "id",
            "run",
            "checkpoint",
            "split",
            "convention",
            "iou",
            "state",
            "message",
            "images",
            "patients",
            "lesions",
            "found",
            "sensitivity",
            "average_sensitivity",
            "average_band",
            "detections_url",
            "report_url",
            "created",
            "finished",
        )

    @extend_schema_field(serializers.ListField(child=serializers.FloatField(), allow_null=True))
    def get_average_band(self, found: Evaluation) -> list[float] | None:
        ends = (found.average_low, found.average_high)
        return None if None in ends else [end for end in ends if end is not None]

    @extend_schema_field(serializers.URLField(allow_null=True))
    def get_detections_url(self, found: Evaluation) -> str | None:
        return self._file("run-detections", found)

    @extend_schema_field(serializers.URLField(allow_null=True))
    def get_report_url(self, found: Evaluation) -> str | None:
        return self._file("run-report", found)

    def _file(self, name: str, found: Evaluation) -> str | None:
        if found.state != Evaluation.State.DONE:
            return None
        address: Any = reverse(name, args=[found.run_id, found.pk], request=self.context["request"])
        return str(address)
