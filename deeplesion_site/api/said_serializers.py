"""What the API says of places along the body, model by model."""

from typing import Any

from rest_framework import serializers

from datasets.selectors import digits
from deeplesion_site.api.serializers import Measured

_Z = "0 head .. 1 feet"


class SaidOfLesionSerializer(serializers.Serializer[Any]):
    model = serializers.CharField(help_text="version of the body-part regressor")
    chosen = serializers.BooleanField(help_text="the lesion's location is this one")
    x = Measured(digits.BODY, allow_null=True, help_text="0 the image's left edge of the body .. 1 its right edge")
    y = Measured(digits.BODY, allow_null=True, help_text="0 front .. 1 back")
    z = Measured(digits.BODY, allow_null=True, help_text=f"smoothed along the series, {_Z}")
    unknown = serializers.CharField(help_text="why it has no place, where the series has; or empty")
    score = Measured(digits.BODY, allow_null=True, help_text=f"of the key slice alone, {_Z}, unbounded")
    finding = serializers.CharField(help_text="what the series showed, in a word")
    sentence = serializers.CharField(help_text="the same in a sentence")


class SaidOfSliceSerializer(serializers.Serializer[Any]):
    slice = serializers.IntegerField(help_text="number of the slice")
    score = Measured(digits.BODY, allow_null=True, help_text=f"of the slice alone, {_Z}, unbounded; null: no body")
    z = Measured(digits.BODY, allow_null=True, help_text=f"smoothed along the series, {_Z}; null: unknown")


class SaidOfSeriesSerializer(serializers.Serializer[Any]):
    model = serializers.CharField(help_text="version of the body-part regressor")
    finding = serializers.CharField(help_text="what the series showed, in a word")
    sentence = serializers.CharField(help_text="the same in a sentence")
    slices = SaidOfSliceSerializer(many=True, help_text="those that you may see, from head to feet")
