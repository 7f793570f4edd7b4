"""What the API says of each thing. Fields are listed one by one, so that nothing slips out with a new column."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from datasets import dl_info
from datasets.models import Collection, Lesion, Patient, Release, Series, Study
from datasets.selectors import digits, releases


class Measured(serializers.FloatField):
    """A measured number with as many digits after the point as `digits` allows its unit."""

    def __init__(self, places: int, **kwargs: Any) -> None:
        self.places = places
        super().__init__(**kwargs)

    def to_representation(self, value: Any) -> Any:
        return round(float(value), self.places)


class Millimetres(Measured):
    """A length that the database keeps in whole micrometres."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(digits.MILLIMETRES, **kwargs)

    def to_representation(self, value: Any) -> Any:
        return super().to_representation(value / 1000)


class CollectionSerializer(serializers.ModelSerializer[Collection]):
    class Meta:
        model = Collection
        fields = ("slug", "title", "kind")
        read_only_fields = fields


class PatientSerializer(serializers.ModelSerializer[Patient]):
    collection = serializers.CharField(source="collection.slug", help_text="patient numbers count within it")

    class Meta:
        model = Patient
        fields = ("id", "collection", "number", "sex")
        read_only_fields = fields


class StudySerializer(serializers.ModelSerializer[Study]):
    collection = serializers.CharField(source="patient.collection.slug")
    patient = serializers.IntegerField(source="patient.number", help_text="number of the patient")

    class Meta:
        model = Study
        fields = ("id", "collection", "patient", "number", "age", "days_since_first")
        read_only_fields = fields


class SeriesSerializer(serializers.ModelSerializer[Series]):
    collection = serializers.CharField(source="study.patient.collection.slug")
    patient = serializers.IntegerField(source="study.patient.number", help_text="number of the patient")
    study = serializers.IntegerField(source="study.number", help_text="number of the study")
    folder = serializers.CharField(help_text="{patient}_{study}_{series}, below Images_png")
    spacing_x = Measured(digits.SPACING, help_text="mm between columns")
    spacing_y = Measured(digits.SPACING, help_text="mm between rows")
    slice_interval = Measured(digits.MILLIMETRES, allow_null=True, help_text="mm, median over the volume")
    kvp = Measured(digits.HOUNSFIELD, allow_null=True, help_text="tube voltage in kV")

    class Meta:
        model = Series
        fields = (
            "id",
            "collection",
            "patient",
            "study",
            "number",
            "folder",
            "columns",
            "rows",
            "spacing_x",
            "spacing_y",
            "slice_interval",
            "slices_in_volume",
            "kernel",
            "kvp",
            "patient_position",
            "lossy",
        )
        read_only_fields = fields


class MembershipSerializer(serializers.Serializer[Any]):
    release = serializers.CharField(source="release.name")
    split = serializers.CharField(source="member.get_split_display", help_text="train, val or test")


class LocationSerializer(serializers.Serializer[Any]):
    x = serializers.FloatField(help_text="0 the image's left edge of the body .. 1 its right edge")
    y = serializers.FloatField(help_text="0 front .. 1 back")
    z = serializers.FloatField(help_text="0 head .. 1 feet")
    provenance = serializers.CharField(help_text="published, or the version of the model")


class NoiseReasonSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField()
    value = serializers.FloatField(allow_null=True, help_text="null where the published table gives no reason")
    threshold = serializers.FloatField(allow_null=True)


class HounsfieldSerializer(serializers.Serializer[Any]):
    """HU inside the box."""

    mean = serializers.FloatField(allow_null=True)
    std = serializers.FloatField(allow_null=True)
    min = serializers.FloatField(allow_null=True)
    max = serializers.FloatField(allow_null=True)


class LesionSerializer(serializers.ModelSerializer[Lesion]):
    """Pixel coordinates are 0-based with pixel centres at integers, x to the right and y down."""

    file_name = serializers.CharField(source="slice.file_name")
    collection = serializers.CharField(source="slice.series.study.patient.collection.slug")
    patient = serializers.IntegerField(source="slice.series.study.patient.number", help_text="number of the patient")
    study = serializers.IntegerField(source="slice.series.study.number", help_text="number of the study")
    series = serializers.IntegerField(source="slice.series.number", help_text="number of the series")
    slice = serializers.IntegerField(source="slice.number", help_text="key slice, from head to feet")
    slice_range = serializers.SerializerMethodField(help_text="first and last slice of the context")
    type = serializers.ChoiceField(source="get_type_display", choices=list(dl_info.TYPES.values()))
    type_code = serializers.IntegerField(source="type", help_text="Coarse_lesion_type")
    long_mm = Millimetres(source="long_um", help_text="long diameter in mm, to a micrometre")
    short_mm = Millimetres(source="short_um", help_text="short diameter in mm, to a micrometre")
    long_px = Measured(digits.PIXELS, help_text="long diameter in pixels")
    short_px = Measured(digits.PIXELS, help_text="short diameter in pixels")
    recist = serializers.SerializerMethodField(help_text="x11, y11, x12, y12, x21, y21, x22, y22; long axis first")
    box = serializers.SerializerMethodField(help_text="x1, y1, x2, y2, 5 px wider than the axes on every side")
    spacing_mm = serializers.SerializerMethodField(help_text="mm per pixel along x and y")
    slice_interval = serializers.SerializerMethodField(help_text="mm")
    hu = serializers.SerializerMethodField()
    location = serializers.SerializerMethodField(help_text="null where it is not known")
    possibly_noisy = serializers.BooleanField()
    noise_reasons = serializers.SerializerMethodField()
    sex = serializers.CharField(source="slice.series.study.patient.sex", help_text="F, M or empty")
    age = serializers.IntegerField(
        source="slice.series.study.age", allow_null=True, help_text="years; 90 stands for 90 and over"
    )
    flags = serializers.ListField(child=serializers.CharField(), help_text="oddities of the measurement")
    follow_up = serializers.SerializerMethodField(help_text="the patient's follow-up set, such as F03, or null")
    releases = MembershipSerializer(source="shown_memberships", many=True)

    class Meta:
        model = Lesion
        fields = (
            "id",
            "file_name",
            "collection",
            "patient",
            "study",
            "series",
            "slice",
            "slice_range",
            "number",
            "type",
            "type_code",
            "long_mm",
            "short_mm",
            "long_px",
            "short_px",
            "recist",
            "box",
            "spacing_mm",
            "slice_interval",
            "hu",
            "location",
            "possibly_noisy",
            "noise_reasons",
            "flags",
            "sex",
            "age",
            "follow_up",
            "releases",
        )
        read_only_fields = fields

    def get_slice_range(self, lesion: Lesion) -> list[int]:
        return [lesion.first_slice, lesion.last_slice]

    def get_recist(self, lesion: Lesion) -> list[float]:
        return [round(value, digits.PIXELS) for value in lesion.points]

    def get_box(self, lesion: Lesion) -> list[float]:
        return [round(value, digits.PIXELS) for value in lesion.box]

    def get_spacing_mm(self, lesion: Lesion) -> list[float]:
        series = lesion.slice.series
        return [round(series.spacing_x, digits.SPACING), round(series.spacing_y, digits.SPACING)]

    def get_slice_interval(self, lesion: Lesion) -> float | None:
        own = lesion.slice.slice_interval
        return digits.rounded(lesion.slice.series.slice_interval if own is None else own, digits.MILLIMETRES)

    @extend_schema_field(NoiseReasonSerializer(many=True))
    def get_noise_reasons(self, lesion: Lesion) -> list[dict[str, Any]]:
        return [
            {
                "reason": item.get("reason"),
                "value": digits.rounded(item.get("value"), digits.PIXELS),
                "threshold": digits.rounded(item.get("threshold"), digits.PIXELS),
            }
            for item in lesion.noise_reasons
        ]

    @extend_schema_field(HounsfieldSerializer)
    def get_hu(self, lesion: Lesion) -> dict[str, float | None]:
        return {
            name: digits.rounded(getattr(lesion, f"{name}_hu"), digits.HOUNSFIELD)
            for name in ("mean", "std", "min", "max")
        }

    @extend_schema_field(LocationSerializer(allow_null=True))
    def get_location(self, lesion: Lesion) -> dict[str, Any] | None:
        if lesion.x is None or lesion.y is None or lesion.z is None:
            return None
        place = {axis: round(getattr(lesion, axis), digits.BODY) for axis in "xyz"}
        return {**place, "provenance": lesion.location_source}

    def get_follow_up(self, lesion: Lesion) -> str | None:
        return str(lesion.follow_up) if lesion.follow_up else None


class ReleaseSerializer(serializers.ModelSerializer[Release]):
    collection = serializers.CharField(source="collection.slug")
    counts = serializers.SerializerMethodField(help_text="per split: patients, studies, series, slices, lesions")
    leaks = serializers.SerializerMethodField(help_text="what the search for leaks between splits saw, and what not")
    manifest_sha256 = serializers.SerializerMethodField(help_text="SHA-256 of manifest.json, null while it is made")

    class Meta:
        model = Release
        fields = (
            *("name", "collection", "state", "split_method", "counts", "leaks"),
            *("created", "published", "manifest_sha256"),
        )
        read_only_fields = fields

    def get_leaks(self, release: Release) -> str:
        return releases.leaks_looked_for(release)

    def get_counts(self, release: Release) -> dict[str, dict[str, int]]:
        return {split: release.counts.get(split, {}) for split in dl_info.SPLITS.values()}

    def get_manifest_sha256(self, release: Release) -> str | None:
        manifest = getattr(release, "manifest", None)
        return manifest.sha256 if manifest else None
