"""Where in the body: what each model said of slices, series and lesions. A newer model adds, it never overwrites."""

from django.db import models
from django.db.models import Q

from datasets.models.lesion import Lesion
from datasets.models.patient import Series, Slice


class LocationModel(models.Model):
    """A trained body-part regressor; its file lies in the data folder under its version."""

    version = models.CharField(max_length=64, unique=True, help_text="hash of the model file")
    trained_on = models.CharField(max_length=64, help_text="name of the release")
    facts = models.JSONField(default=dict, help_text="preset, seed, how its scale was fixed, how well it does")
    hashes = models.JSONField(default=dict, blank=True, help_text="SHA-256 of its files, by name")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return self.version[:12]


class SeriesLocation(models.Model):
    """What the scores of a series' slices showed when they were held against a line."""

    series = models.ForeignKey(Series, models.PROTECT, related_name="locations")
    model = models.ForeignKey(LocationModel, models.PROTECT, related_name="series")
    finding = models.CharField(max_length=32)
    sentence = models.CharField(max_length=300)

    class Meta:
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=("series", "model"), name="series_located_once"),)

    def __str__(self) -> str:
        return f"{self.series_id}: {self.finding}"


class SliceLocation(models.Model):
    """A stored slice that a model has looked at, whether or not it could tell anything."""

    slice = models.ForeignKey(Slice, models.PROTECT, related_name="locations")
    model = models.ForeignKey(LocationModel, models.PROTECT, related_name="slices")
    score = models.FloatField(null=True, help_text="of the slice alone, 0 head .. 1 feet; empty: it shows no body")
    z = models.FloatField(null=True, help_text="smoothed along the series, 0 head .. 1 feet; empty: unknown")

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=("slice", "model"), name="slice_located_once"),
            models.CheckConstraint(condition=Q(z__isnull=True) | Q(z__gte=0, z__lte=1), name="slice_location_in_body"),
        )
        indexes = (models.Index(fields=("model", "z"), name="slice_location_by_height"),)

    def __str__(self) -> str:
        return f"{self.slice_id}: {'unknown' if self.z is None else f'{self.z:.3f}'}"


class LesionLocation(models.Model):
    """What one model said of a lesion: its place, or why it has none; `Lesion` itself holds the place of the model
    chosen for its collection."""

    class Unknown(models.TextChoices):
        HEIGHT = "height", "its slice has no height"
        BODY = "body", "no outline of a body on its slice"
        OUTSIDE = "outside", "far outside the body on its slice"
        UNREADABLE = "unreadable", "the image of its slice cannot be read"

    lesion = models.ForeignKey(Lesion, models.PROTECT, related_name="locations")
    model = models.ForeignKey(LocationModel, models.PROTECT, related_name="lesions")
    x = models.FloatField(null=True)
    y = models.FloatField(null=True)
    z = models.FloatField(null=True)
    unknown = models.CharField(max_length=10, choices=Unknown, blank=True, help_text="why it has no place")

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=("lesion", "model"), name="lesion_located_once"),
            models.CheckConstraint(
                condition=Q(unknown="", x__isnull=False, y__isnull=False, z__isnull=False)
                & Q(x__gte=0, x__lte=1, y__gte=0, y__lte=1, z__gte=0, z__lte=1)
                | ~Q(unknown="") & Q(x__isnull=True, y__isnull=True, z__isnull=True),
                name="lesion_place_in_body",
            ),
        )

    def __str__(self) -> str:
        where = ", ".join(f"{value:.3f}" for value in (self.x, self.y, self.z) if value is not None)
        return f"{self.lesion_id}: {where or self.get_unknown_display()}"
