"""Release: a frozen, citable, patient-level split of one collection. Triggers refuse to change a published one."""

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from datasets import dl_info
from datasets.models.lesion import Lesion
from datasets.models.patient import Collection, Patient


class Split(models.IntegerChoices):
    """Train_Val_Test; the names are those of `dl_info.SPLITS`."""

    TRAIN = 1, "train"
    VAL = 2, "val"
    TEST = 3, "test"


NAME = r"^[a-z0-9][a-z0-9._-]{0,63}\Z"
"""A release's name stands in addresses, file names and citations."""


class Release(models.Model):
    class State(models.TextChoices):
        DRAFT = "draft", "draft"
        PUBLISHED = "published", "published"

    name = models.CharField(
        max_length=64,
        unique=True,
        validators=[
            RegexValidator(NAME, "A release's name is lower-case letters, digits, dot, dash, underscore; at most 64.")
        ],
    )
    collection = models.ForeignKey(Collection, models.PROTECT, related_name="releases")
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    split_method = models.CharField(max_length=64, help_text="official, or the shares and the seed")
    counts = models.JSONField(default=dict, help_text="per split: patients, studies, series, slices, lesions")
    location_sources = models.JSONField(default=list, help_text="who placed its lesions: published, model versions")
    compared = models.JSONField(
        default=dict, help_text="what the search for leaks saw: slices whose pixels were compared, key slices without"
    )
    created = models.DateTimeField(auto_now_add=True)
    published = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(condition=Q(name__regex=NAME), name="release_name_fits_addresses"),
            models.CheckConstraint(
                condition=Q(state="draft", published__isnull=True) | Q(state="published", published__isnull=False),
                name="release_published_has_date",
            ),
        )

    def __str__(self) -> str:
        return self.name


class ReleasePatient(models.Model):
    """A patient has one split per release."""

    release = models.ForeignKey(Release, models.CASCADE, related_name="patients")
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="memberships")
    split = models.PositiveSmallIntegerField(choices=Split)

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=("release", "patient"), name="one_split_per_patient"),
            models.CheckConstraint(condition=Q(split__in=list(dl_info.SPLITS)), name="split_known"),
        )

    def __str__(self) -> str:
        return f"{self.patient}: {self.get_split_display()}"


class ReleaseLesion(models.Model):
    """A member, with its line of DL_info.csv as it was published."""

    release = models.ForeignKey(Release, models.CASCADE, related_name="members")
    member = models.ForeignKey(ReleasePatient, models.CASCADE, related_name="lesions")
    lesion = models.ForeignKey(Lesion, models.PROTECT, related_name="memberships")
    line = models.TextField(help_text="its line of DL_info.csv")

    class Meta:
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=("release", "lesion"), name="release_lesion_once"),)

    def __str__(self) -> str:
        return f"{self.release_id}: {self.lesion_id}"


class ReleaseManifest(models.Model):
    """The manifest of a published release, once its files are hashed; manifest.json lies in the data folder."""

    release = models.OneToOneField(Release, models.PROTECT, related_name="manifest")
    sha256 = models.CharField(max_length=64)
    files = models.PositiveIntegerField()
    bytes = models.PositiveBigIntegerField()
    created = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.sha256
