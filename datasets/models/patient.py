"""Collection, Patient, Study, Series, Slice: where a lesion lies.

Numbers count from 1 within their parent and name the files: `{patient}_{study}_{series}/{slice}.png`.
"""

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from datasets import dl_info


class Kind(models.TextChoices):
    """Where a collection came from."""

    PUBLISHED = "published", "published dataset"
    HOSPITAL = "hospital", "hospital"


class Collection(models.Model):
    """What was imported or harvested together: the published DeepLesion, or one hospital."""

    Kind = Kind

    slug = models.SlugField(unique=True)
    title = models.CharField(max_length=200)
    kind = models.CharField(max_length=10, choices=Kind)
    image_folder = models.CharField(
        max_length=1000, blank=True, help_text="Images_png of a dataset that stays where it is; empty: our own storage"
    )
    location_model = models.ForeignKey(
        "datasets.LocationModel",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="collections",
        help_text="whose places in the body its lesions carry; empty: those it was published with, or none",
    )
    located = models.DateTimeField(null=True, blank=True, help_text="when a model had last looked at all of it")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("slug",)
        constraints = (models.CheckConstraint(condition=Q(kind__in=Kind.values), name="collection_kind_known"),)

    def __str__(self) -> str:
        return self.title


class Sex(models.TextChoices):
    """PatientSex, as far as it is kept."""

    FEMALE = "F", "female"
    MALE = "M", "male"
    UNKNOWN = "", "unknown"


class Patient(models.Model):
    Sex = Sex

    collection = models.ForeignKey(Collection, models.PROTECT, related_name="patients")
    number = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    sex = models.CharField(max_length=1, choices=Sex, blank=True)
    official_split = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Train_Val_Test of the published dataset"
    )

    class Meta:
        ordering = ("collection", "number")
        constraints = (
            models.UniqueConstraint(fields=("collection", "number"), name="patient_number_unique"),
            models.CheckConstraint(condition=Q(number__gte=1), name="patient_number_from_1"),
            models.CheckConstraint(condition=Q(sex__in=Sex.values), name="patient_sex_known"),
            models.CheckConstraint(
                condition=Q(official_split__isnull=True) | Q(official_split__in=list(dl_info.SPLITS)),
                name="patient_official_split_known",
            ),
        )

    def __str__(self) -> str:
        return f"{self.number:06d}"


class Study(models.Model):
    patient = models.ForeignKey(Patient, models.PROTECT, related_name="studies")
    number = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    age = models.PositiveSmallIntegerField(null=True, blank=True, help_text="years; 90 stands for 90 and over")
    days_since_first = models.IntegerField(
        null=True, blank=True, help_text="days since the patient's first study when first harvested"
    )

    class Meta:
        ordering = ("patient", "number")
        verbose_name_plural = "studies"
        constraints = (
            models.UniqueConstraint(fields=("patient", "number"), name="study_number_unique"),
            models.CheckConstraint(condition=Q(number__gte=1), name="study_number_from_1"),
            models.CheckConstraint(condition=Q(age__isnull=True) | Q(age__lte=130), name="study_age_in_years"),
        )

    def __str__(self) -> str:
        return f"{self.patient}_{self.number:02d}"


class Series(models.Model):
    study = models.ForeignKey(Study, models.PROTECT, related_name="series")
    number = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    columns = models.PositiveIntegerField()
    rows = models.PositiveIntegerField()
    spacing_x = models.FloatField(help_text="mm between columns")
    spacing_y = models.FloatField(help_text="mm between rows")
    slice_interval = models.FloatField(null=True, blank=True, help_text="mm, median over the volume")
    slices_in_volume = models.PositiveIntegerField(null=True, blank=True)
    kernel = models.CharField(max_length=64, blank=True)
    kvp = models.FloatField(null=True, blank=True)
    patient_position = models.CharField(max_length=16, blank=True)
    lossy = models.BooleanField(default=False, help_text="the source had lost information to compression")

    class Meta:
        ordering = ("study", "number")
        verbose_name_plural = "series"
        constraints = (
            models.UniqueConstraint(fields=("study", "number"), name="series_number_unique"),
            models.CheckConstraint(
                condition=Q(number__gte=1, columns__gte=1, rows__gte=1), name="series_counts_from_1"
            ),
            models.CheckConstraint(condition=Q(spacing_x__gt=0, spacing_y__gt=0), name="series_spacing_positive"),
        )

    def __str__(self) -> str:
        return self.folder

    @property
    def folder(self) -> str:
        """The folder's name; reads study and patient, so select_related them."""
        return dl_info.folder_name(self.study.patient.number, self.study.number, self.number)


class Slice(models.Model):
    series = models.ForeignKey(Series, models.PROTECT, related_name="slices")
    number = models.PositiveIntegerField(validators=[MinValueValidator(1)], help_text="from head to feet")
    slice_interval = models.FloatField(null=True, blank=True, help_text="mm to the neighbours; empty: the series'")
    window_low = models.FloatField(null=True, blank=True, help_text="HU")
    window_high = models.FloatField(null=True, blank=True, help_text="HU")
    stored = models.BooleanField(default=False, help_text="its PNG is there")
    stored_at = models.DateTimeField(
        null=True, blank=True, help_text="when its PNG came: a release holds what was there when it was published"
    )
    bytes = models.PositiveIntegerField(null=True, blank=True)
    sha256 = models.CharField(max_length=64, blank=True, help_text="of the PNG file")
    pixel_hash = models.CharField(max_length=64, blank=True, help_text="SHA-256 of the pixels; finds leaks")

    class Meta:
        ordering = ("series", "number")
        constraints = (
            models.UniqueConstraint(fields=("series", "number"), name="slice_number_unique"),
            models.CheckConstraint(condition=Q(number__gte=1), name="slice_number_from_1"),
            models.CheckConstraint(
                condition=Q(stored=False) | Q(stored_at__isnull=False), name="slice_stored_since_when"
            ),
        )
        indexes = (models.Index(fields=("pixel_hash",), name="slice_pixel_hash", condition=~Q(pixel_hash="")),)

    def __str__(self) -> str:
        return self.file_name

    @property
    def file_name(self) -> str:
        """`File_name` of DL_info.csv."""
        return f"{self.series.folder}_{dl_info.slice_name(self.number)}"

    @property
    def path(self) -> str:
        """Where the PNG lies below Images_png."""
        return f"{self.series.folder}/{dl_info.slice_name(self.number)}"
