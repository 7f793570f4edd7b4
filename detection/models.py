"""What was trained on which release, how well it does, and every detection. Files lie in the data folder."""

from django.db import models
from django.db.models import F, Q


class TrainingRun(models.Model):
    """One detector. Its release is named, not referenced: the two meet in an exported folder alone."""

    class Preset(models.TextChoices):
        PAPER = "paper", "paper"
        CONTEXT = "context", "context"
        TINY = "tiny", "tiny"

    class State(models.TextChoices):
        QUEUED = "queued", "queued"
        TRAINING = "training", "training"
        TRAINED = "trained", "trained"
        STOPPED = "stopped", "stopped"
        FAILED = "failed", "failed"
        CANCELLED = "cancelled", "cancelled before it began"

    release = models.CharField(max_length=64, help_text="name of the release")
    release_sha256 = models.CharField(max_length=64, blank=True, help_text="of its manifest.json, once it was read")
    preset = models.CharField(max_length=16, choices=Preset)
    seed = models.PositiveIntegerField(default=0)
    fraction = models.FloatField(default=1.0, help_text="share of the training patients")
    start_weights = models.CharField(max_length=100, help_text="what the backbone was asked to start from")
    options = models.JSONField(default=dict, blank=True, help_text="what was asked for beyond the preset")
    fingerprint = models.CharField(max_length=64, unique=True, help_text="hash of all that decides the result")

    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    message = models.CharField(max_length=500, blank=True)
    step = models.PositiveIntegerField(default=0)
    steps = models.PositiveIntegerField(default=0, help_text="in all; 0 while that is not known")
    seconds_left = models.FloatField(null=True, blank=True)
    seconds = models.FloatField(default=0.0, help_text="spent in training, over all attempts")
    curve = models.JSONField(default=dict, blank=True, help_text="losses against steps")

    weights = models.CharField(max_length=100, blank=True, help_text="what the backbone started from")
    checkpoint = models.CharField(max_length=200, blank=True, help_text="below the data folder")
    hashes = models.JSONField(default=dict, blank=True, help_text="SHA-256 of its files, by name")
    device = models.CharField(max_length=100, blank=True)
    code_version = models.CharField(max_length=64, blank=True)
    torch_version = models.CharField(max_length=64, blank=True)
    created = models.DateTimeField(auto_now_add=True)
    started = models.DateTimeField(null=True, blank=True)
    finished = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        indexes = (models.Index(fields=("release", "preset"), name="run_by_release"),)
        constraints = (
            models.CheckConstraint(condition=Q(preset__in=("paper", "context", "tiny")), name="run_preset_known"),
            models.CheckConstraint(condition=Q(fraction__gt=0, fraction__lte=1), name="run_fraction_is_a_share"),
            models.CheckConstraint(condition=Q(steps=0) | Q(step__lte=F("steps")), name="run_step_within_steps"),
            models.CheckConstraint(
                condition=Q(state="queued", finished__isnull=True)
                | Q(state="training", started__isnull=False, finished__isnull=True)
                | Q(state__in=("trained", "stopped"), started__isnull=False, finished__isnull=False)
                | Q(state="failed", finished__isnull=False)
                | Q(state="cancelled", started__isnull=True, finished__isnull=False),
                name="run_times_follow_state",
            ),
            models.CheckConstraint(
                condition=~Q(state="trained") | ~Q(checkpoint="") & ~Q(release_sha256=""), name="run_trained_is_whole"
            ),
        )

    def __str__(self) -> str:
        return f"Run {self.pk}"

    @property
    def folder(self) -> str:
        """Where its files lie, below the data folder."""
        return f"runs/{self.pk}"

    @property
    def is_unfinished(self) -> bool:
        """Whether more is to come without anybody asking for it."""
        return self.state in (self.State.QUEUED, self.State.TRAINING)

    @property
    def percent(self) -> int | None:
        """Share done, 0..100; None while the steps are not known."""
        return min(100, 100 * self.step // self.steps) if self.steps else None


class Evaluation(models.Model):
    """A run's detections in one split, scored in one way."""

    class State(models.TextChoices):
        QUEUED = "queued", "queued"
        RUNNING = "running", "running"
        DONE = "done", "done"
        FAILED = "failed", "failed"
        CANCELLED = "cancelled", "cancelled before it began"

    class Split(models.TextChoices):
        TRAIN = "train", "train"
        VAL = "val", "val"
        TEST = "test", "test"
        ALL = "all", "all"

    class Convention(models.TextChoices):
        DEEPLESION = "deeplesion", "DeepLesion"
        STRICT = "strict", "strict"

    class Checkpoint(models.TextChoices):
        BEST = "best", "best in the validation split"
        LAST = "last", "last"

    run = models.ForeignKey(TrainingRun, models.PROTECT, related_name="evaluations")
    split = models.CharField(max_length=5, choices=Split, default=Split.TEST)
    checkpoint = models.CharField(
        max_length=4, choices=Checkpoint, default=Checkpoint.BEST, help_text="the last where nothing was validated"
    )
    convention = models.CharField(max_length=10, choices=Convention, default=Convention.DEEPLESION)
    iou = models.FloatField(default=0.5, help_text="overlap from which a lesion is hit")

    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    message = models.CharField(max_length=500, blank=True)
    done = models.PositiveIntegerField(default=0, help_text="images so far")
    total = models.PositiveIntegerField(default=0)
    seconds = models.FloatField(default=0.0)

    images = models.PositiveIntegerField(null=True, blank=True)
    patients = models.PositiveIntegerField(null=True, blank=True)
    lesions = models.PositiveIntegerField(null=True, blank=True)
    found = models.PositiveIntegerField(null=True, blank=True, help_text="number of detections")
    average_sensitivity = models.FloatField(null=True, blank=True, help_text="mean at 0.5, 1, 2, 4 FP per image")
    average_low = models.FloatField(null=True, blank=True, help_text="95% band over patients")
    average_high = models.FloatField(null=True, blank=True)
    sensitivity = models.JSONField(default=dict, blank=True, help_text="by false positives per image")
    report = models.JSONField(default=dict, blank=True, help_text="what report.json says")
    hashes = models.JSONField(default=dict, blank=True, help_text="SHA-256 of its files, by name")
    truth_sha256 = models.CharField(
        max_length=64, blank=True, help_text="of the images and lesions that were looked at"
    )
    device = models.CharField(max_length=100, blank=True)
    created = models.DateTimeField(auto_now_add=True)
    started = models.DateTimeField(null=True, blank=True)
    finished = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("run", "checkpoint", "split", "convention", "iou"), name="evaluation_once"
            ),
            models.CheckConstraint(condition=Q(checkpoint__in=("best", "last")), name="evaluation_checkpoint_known"),
            models.CheckConstraint(
                condition=Q(split__in=("train", "val", "test", "all")), name="evaluation_split_known"
            ),
            models.CheckConstraint(
                condition=Q(convention__in=("deeplesion", "strict")), name="evaluation_convention_known"
            ),
            models.CheckConstraint(condition=Q(iou__gt=0, iou__lte=1), name="evaluation_iou_is_a_share"),
            models.CheckConstraint(
                condition=Q(state="queued", finished__isnull=True)
                | Q(state="running", started__isnull=False, finished__isnull=True)
                | Q(state="failed", finished__isnull=False)
                | Q(state="cancelled", started__isnull=True, finished__isnull=False)
                | Q(
                    state="done",
                    started__isnull=False,
                    finished__isnull=False,
                    images__gte=1,
                    lesions__gte=1,
                    found__isnull=False,
                    average_sensitivity__gte=0,
                    average_sensitivity__lte=1,
                ),
                name="evaluation_follows_state",
            ),
        )

    def __str__(self) -> str:
        last = ", last checkpoint" if self.checkpoint == self.Checkpoint.LAST else ""
        return f"{self.split} split at IoU {self.iou:g}{last}"

    @property
    def folder(self) -> str:
        """Where its files lie, below the data folder."""
        return f"{TrainingRun(pk=self.run_id).folder}/evaluation-{self.pk}"

    @property
    def is_unfinished(self) -> bool:
        """Whether more is to come without anybody asking for it."""
        return self.state in (self.State.QUEUED, self.State.RUNNING)

    @property
    def percent(self) -> int | None:
        """Share done, 0..100; None while the images are not counted."""
        return min(100, 100 * self.done // self.total) if self.total else None


class Target(models.Model):
    """A lesion that an evaluation looked for; its place in the dataset is its file name and box."""

    evaluation = models.ForeignKey(Evaluation, models.CASCADE, related_name="targets", db_index=False)
    file_name = models.CharField(max_length=64)
    number = models.PositiveSmallIntegerField(help_text="among the lesions of its image, from 1")
    patient = models.PositiveIntegerField()
    type = models.SmallIntegerField(help_text="Coarse_lesion_type")
    size_mm = models.FloatField(help_text="mean of both diameters")
    x1 = models.FloatField(help_text="0-based")
    y1 = models.FloatField()
    x2 = models.FloatField()
    y2 = models.FloatField()
    score = models.FloatField(null=True, blank=True, help_text="of the surest detection that hits it; null: missed")

    class Meta:
        ordering = ("id",)
        indexes = (models.Index(fields=("evaluation", "score"), name="target_by_score"),)
        constraints = (
            models.UniqueConstraint(fields=("evaluation", "file_name", "number"), name="target_once"),
            models.CheckConstraint(condition=Q(number__gte=1), name="target_number_from_1"),
            models.CheckConstraint(condition=Q(x2__gt=F("x1"), y2__gt=F("y1")), name="target_has_extent"),
        )

    def __str__(self) -> str:
        return f"{self.file_name} #{self.number}"


class Detection(models.Model):
    """A box that a run drew; hundreds of thousands of them per evaluation."""

    class Outcome(models.IntegerChoices):
        HIT = 1, "correct"
        AGAIN = 2, "further one on the same lesion"
        FALSE_POSITIVE = 3, "false positive"

    evaluation = models.ForeignKey(Evaluation, models.CASCADE, related_name="detections", db_index=False)
    file_name = models.CharField(max_length=64)
    target = models.ForeignKey(Target, models.CASCADE, null=True, blank=True, related_name="detections")
    outcome = models.PositiveSmallIntegerField(choices=Outcome)
    overlap = models.FloatField(help_text="IoU with its lesion; of a false positive the greatest with any")
    score = models.FloatField()
    x1 = models.FloatField(help_text="0-based")
    y1 = models.FloatField()
    x2 = models.FloatField()
    y2 = models.FloatField()

    class Meta:
        ordering = ("id",)
        indexes = (models.Index(fields=("evaluation", "file_name"), name="detection_by_image"),)
        constraints = (
            models.CheckConstraint(
                condition=Q(outcome=3, target__isnull=True) | Q(outcome__in=(1, 2), target__isnull=False),
                name="detection_target_follows_outcome",
            ),
        )

    def __str__(self) -> str:
        return f"{self.file_name}: {self.score:.3f}"
