"""Annotation: every bookmark that was found, whatever became of it."""

from django.db import models
from django.db.models import Q

from datasets.models.patient import Collection


class Tool(models.TextChoices):
    """What the radiologist drew with."""

    BIDIMENSIONAL = "bidimensional", "RECIST diameters"
    LINE = "line", "line"
    ARROW = "arrow", "arrow"
    ELLIPSE = "ellipse", "ellipse"
    TEXT = "text", "text"
    SEGMENTATION = "segmentation", "segmentation"
    OTHER = "other", "other"


class Reason(models.TextChoices):
    """Why an annotation did not become a lesion."""

    NONE = "", "became a lesion"
    NOT_RECIST = "not_recist", "not a pair of RECIST diameters"
    NON_AXIAL = "non_axial", "not on an axial slice"
    OFF_PLANE = "off_plane", "not in the plane of any slice"
    UNRESOLVED_IMAGE = "unresolved_image", "its image is not there"
    NOT_CROSSING = "not_crossing", "its axes do not cross"
    DEGENERATE = "degenerate", "an axis has no length"
    OUTSIDE_IMAGE = "outside_image", "outside its image"
    UNSUPPORTED_OBJECT = "unsupported_object", "an object that cannot be read yet"
    UNDECODABLE = "undecodable", "its pixels cannot be decoded"
    OTHER_MODALITY = "other_modality", "not on a CT image"
    SAVED_AGAIN = "saved_again", "the same mark, saved once more"


WAITING = (Reason.UNRESOLVED_IMAGE, Reason.UNDECODABLE)
"""What they mark may arrive, or arrive whole, later: these are resolved anew at every harvest."""


class Annotation(models.Model):
    """One mark of a radiologist as its report gave it. Triggers see to it that it stays: never deleted, never changed.

    One thing can become known later: what came of a mark whose image was waited for (`WAITING`). Its outcome
    (`OUTCOME`) may then be set; the mark itself stays as it was read first.

    Only what the allow-list lets through is here: no text of the report, no identifier of the source.
    """

    Tool = Tool
    Reason = Reason
    WAITING = WAITING
    OUTCOME = ("geometry", "modality", "reason", "detail")

    collection = models.ForeignKey(Collection, models.PROTECT, related_name="annotations")
    fingerprint = models.CharField(max_length=64, help_text="keyed hash of where the mark stands in its report")
    geometry = models.CharField(
        max_length=64, blank=True, help_text="keyed hash of image and rounded vertices; finds a mark saved again"
    )
    carrier = models.CharField(max_length=16, help_text="kind of object it came in: SR, PR, ...")
    tool = models.CharField(max_length=16, choices=Tool)
    modality = models.CharField(max_length=16, blank=True, help_text="of the image it marks")
    year = models.PositiveSmallIntegerField(null=True, blank=True, help_text="of the study")
    study = models.CharField(max_length=64, help_text="keyed hash; counts studies with bookmarks")
    label = models.CharField(max_length=16, blank=True, help_text="bookmark number, B06")
    follow_up = models.CharField(max_length=16, blank=True, help_text="follow-up set, F03")
    reported_long_mm = models.FloatField(null=True, blank=True)
    reported_short_mm = models.FloatField(null=True, blank=True)
    reason = models.CharField(max_length=24, choices=Reason, blank=True)
    detail = models.CharField(max_length=300, blank=True, help_text="our own sentence, with the measured value")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(condition=Q(tool__in=Tool.values), name="annotation_tool_known"),
            models.CheckConstraint(condition=Q(reason__in=Reason.values), name="annotation_reason_known"),
            models.UniqueConstraint(fields=("collection", "fingerprint"), name="annotation_once"),
            models.UniqueConstraint(
                fields=("collection", "geometry"),
                condition=Q(reason="") & ~Q(geometry=""),
                name="annotation_geometry_once",
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_tool_display()} {self.label}".strip()
