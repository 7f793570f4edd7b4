"""Lesion: four RECIST points on one slice, and all that is derived from them."""

from django.db import models
from django.db.models import F, Q

from datasets import dl_info
from datasets.models.annotation import Annotation
from datasets.models.patient import Patient, Slice


class LesionType(models.IntegerChoices):
    """Coarse_lesion_type; the names are those of `dl_info.TYPES`."""

    BONE = 1, "bone"
    ABDOMEN = 2, "abdomen"
    MEDIASTINUM = 3, "mediastinum"
    LIVER = 4, "liver"
    LUNG = 5, "lung"
    KIDNEY = 6, "kidney"
    SOFT_TISSUE = 7, "soft tissue"
    PELVIS = 8, "pelvis"
    UNKNOWN = -1, "unknown"


class FollowUp(models.Model):
    """One lesion of a patient over several studies (the paper's F03)."""

    patient = models.ForeignKey(Patient, models.PROTECT, related_name="follow_ups")
    number = models.PositiveIntegerField()
    identity = models.CharField(max_length=64, blank=True, help_text="keyed hash of the tracking identifier")

    class Meta:
        ordering = ("patient", "number")
        constraints = (
            models.UniqueConstraint(fields=("patient", "number"), name="follow_up_number_unique"),
            models.UniqueConstraint(
                fields=("patient", "identity"), condition=~Q(identity=""), name="follow_up_identity_unique"
            ),
        )

    def __str__(self) -> str:
        return f"F{self.number:02d}"


def _in_um(axis: str) -> Q:
    """The length in micrometres is that in millimetres, rounded, and at least 1."""
    exact = F(f"{axis}_mm") * 1000.0
    rounded = Q(**{f"{axis}_um__gte": exact - 0.5, f"{axis}_um__lte": exact + 0.5})
    return rounded | Q(**{f"{axis}_um": 1, f"{axis}_mm__lt": 0.0005})


class Lesion(models.Model):
    """Pixel values are 0-based with centres at integers; x to the right, y down."""

    slice = models.ForeignKey(Slice, models.PROTECT, related_name="lesions")
    number = models.PositiveSmallIntegerField(help_text="on its slice")
    annotation = models.OneToOneField(Annotation, models.PROTECT, null=True, blank=True, related_name="lesion")
    follow_up = models.ForeignKey(FollowUp, models.PROTECT, null=True, blank=True, related_name="lesions")
    merged_into = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="merged_from")
    sources = models.ManyToManyField(
        "self", symmetrical=False, blank=True, related_name="averages", help_text="of an average: what it was made of"
    )
    dissolved = models.BooleanField(
        default=False, db_default=False, help_text="an average whose sources stand for themselves again"
    )

    x11 = models.FloatField()
    y11 = models.FloatField()
    x12 = models.FloatField()
    y12 = models.FloatField()
    x21 = models.FloatField()
    y21 = models.FloatField()
    x22 = models.FloatField()
    y22 = models.FloatField()
    box_x1 = models.FloatField()
    box_y1 = models.FloatField()
    box_x2 = models.FloatField()
    box_y2 = models.FloatField()

    long_px = models.FloatField()
    short_px = models.FloatField()
    long_mm = models.FloatField()
    short_mm = models.FloatField()
    long_um = models.PositiveIntegerField(help_text="micrometres: exact to order and page by")
    short_um = models.PositiveIntegerField()

    mean_hu = models.FloatField(null=True, blank=True, help_text="inside the box")
    std_hu = models.FloatField(null=True, blank=True)
    min_hu = models.FloatField(null=True, blank=True)
    max_hu = models.FloatField(null=True, blank=True)
    outside_body = models.FloatField(null=True, blank=True, help_text="share of the box in the air around the body")
    noise_hu = models.FloatField(null=True, blank=True, help_text="of the pixels around it")
    distinctness = models.FloatField(null=True, blank=True, help_text="contrast to its surroundings over the noise")

    type = models.SmallIntegerField(choices=LesionType, default=-1)
    x = models.FloatField(null=True, blank=True, help_text="0 the image's left .. 1 its right edge of the body")
    y = models.FloatField(null=True, blank=True, help_text="0 front .. 1 back of the body")
    z = models.FloatField(null=True, blank=True, help_text="0 head .. 1 feet")
    location_source = models.CharField(max_length=64, blank=True, help_text="published, or the model's version")

    possibly_noisy = models.BooleanField(default=False)
    noise_reasons = models.JSONField(default=list, blank=True, help_text="[{reason, value, threshold}]")
    flags = models.JSONField(default=list, blank=True, help_text="oddities of the measurement, as sentences")
    first_slice = models.PositiveIntegerField(help_text="of the context kept around it")
    last_slice = models.PositiveIntegerField()

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=("slice", "number"), name="lesion_number_unique"),
            models.CheckConstraint(
                condition=Q(long_um__gte=F("short_um"), short_um__gt=0), name="lesion_long_not_below_short"
            ),
            models.CheckConstraint(
                condition=Q(long_mm__gte=F("short_mm"), short_mm__gt=0, long_px__gt=0, short_px__gt=0),
                name="lesion_lengths_positive",
            ),
            *(
                models.CheckConstraint(condition=_in_um(axis), name=f"lesion_{axis}_um_is_{axis}_mm")
                for axis in ("long", "short")
            ),
            models.CheckConstraint(
                condition=Q(box_x1__lt=F("box_x2"), box_y1__lt=F("box_y2")), name="lesion_box_not_empty"
            ),
            models.CheckConstraint(
                condition=Q(first_slice__gte=1, first_slice__lte=F("last_slice")), name="lesion_context_in_order"
            ),
            models.CheckConstraint(condition=Q(type__in=list(dl_info.TYPES)), name="lesion_type_known"),
            models.CheckConstraint(
                condition=Q(x__isnull=True, y__isnull=True, z__isnull=True)
                # Without "is not null" an unknown value would make the comparison unknown, and that passes.
                | Q(x__isnull=False, y__isnull=False, z__isnull=False)
                & Q(x__gte=0, x__lte=1, y__gte=0, y__lte=1, z__gte=0, z__lte=1),
                name="lesion_location_in_body",
            ),
            models.CheckConstraint(
                condition=Q(merged_into__isnull=True) | ~Q(merged_into=F("id")), name="lesion_not_merged_into_itself"
            ),
            models.CheckConstraint(
                condition=Q(dissolved=False) | Q(merged_into__isnull=True), name="lesion_dissolved_is_not_merged"
            ),
        )
        indexes = (
            models.Index(fields=("long_um", "id"), name="lesion_by_long"),
            models.Index(fields=("short_um", "id"), name="lesion_by_short"),
            models.Index(fields=("type", "id"), name="lesion_by_type"),
            models.Index(fields=("id",), name="lesion_noisy", condition=Q(possibly_noisy=True)),
        )

    def __str__(self) -> str:
        return f"{self.slice.file_name} lesion {self.number}"

    @property
    def points(self) -> tuple[float, ...]:
        """x11, y11, x12, y12, x21, y21, x22, y22; long axis first."""
        return (self.x11, self.y11, self.x12, self.y12, self.x21, self.y21, self.x22, self.y22)

    @property
    def box(self) -> tuple[float, ...]:
        """x1, y1, x2, y2."""
        return (self.box_x1, self.box_y1, self.box_x2, self.box_y2)


STANDING = Q(merged_into=None, dissolved=False)
"""Lesions that count: neither part of another nor an average that was dissolved."""
