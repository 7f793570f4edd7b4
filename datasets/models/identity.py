"""What ties the dataset to its source, by keyed hashes alone. Restricted: no API, page or export reads it."""

from django.db import models
from django.db.models import Q

from datasets.models.patient import Collection, Patient, Series, Study


class SourceIdentity(models.Model):
    """A keyed hash of a real identifier, and the row that it became.

    The key lies outside the database, so that the table alone tells nothing.
    """

    class Level(models.TextChoices):
        PATIENT = "patient"
        STUDY = "study"
        SERIES = "series"

    collection = models.ForeignKey(Collection, models.PROTECT, related_name="+")
    level = models.CharField(max_length=8, choices=Level)
    digest = models.CharField(max_length=64)
    patient = models.OneToOneField(Patient, models.PROTECT, null=True, blank=True, related_name="+")
    study = models.OneToOneField(Study, models.PROTECT, null=True, blank=True, related_name="+")
    series = models.OneToOneField(Series, models.PROTECT, null=True, blank=True, related_name="+")
    content = models.CharField(
        max_length=64, blank=True, help_text="series: keyed hash of its slices' identifiers, tells when it changed"
    )
    first_date = models.DateField(null=True, blank=True, help_text="patient: date of the first study")

    class Meta:
        verbose_name_plural = "source identities"
        constraints = (
            models.UniqueConstraint(fields=("collection", "level", "digest"), name="identity_once"),
            models.CheckConstraint(
                condition=Q(level="patient", patient__isnull=False, study__isnull=True, series__isnull=True)
                | Q(level="study", patient__isnull=True, study__isnull=False, series__isnull=True)
                | Q(level="series", patient__isnull=True, study__isnull=True, series__isnull=False),
                name="identity_of_its_level",
            ),
        )

    def __str__(self) -> str:
        return f"{self.level} {self.pk}"


class IdentityKey(models.Model):
    """Tells the key of the keyed hashes from any other, without telling the key. There is one row at most."""

    check_value = models.CharField(max_length=64, help_text="keyed hash of a constant")

    class Meta:
        constraints = (models.CheckConstraint(condition=Q(id=1), name="identity_key_once"),)

    def __str__(self) -> str:
        return "identity key"


class HarvestedStudy(models.Model):
    """A study of a source as it was when it was last harvested whole: the mark up to which the source is known.

    Reports arrive long after their images and servers keep no common record of when, so there is one mark per study
    and not one date per source.
    """

    collection = models.ForeignKey(Collection, models.PROTECT, related_name="+")
    source = models.CharField(max_length=64, help_text="keyed hash of the source's address")
    study = models.CharField(max_length=64, help_text="keyed hash")
    instances = models.PositiveIntegerField(help_text="how many objects the source counted; 0 where it did not")
    content = models.CharField(
        max_length=64, blank=True, help_text="keyed hash of its objects' identifiers: one may take another's place"
    )

    class Meta:
        verbose_name_plural = "harvested studies"
        constraints = (models.UniqueConstraint(fields=("collection", "source", "study"), name="harvested_study_once"),)

    def __str__(self) -> str:
        return f"harvested study {self.pk}"
