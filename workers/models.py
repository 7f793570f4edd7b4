"""Job, JobKey, JobEvent, Worker, HarvestSchedule: the durable record of work that takes time, whoever started it.

A job's row is its message too: what a broker loses is sent again from here. All times are the database's own, so that
no clock of a worker matters. Which state may follow which is a rule in the database (`workers.rules`).
"""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now


class Job(models.Model):
    class State(models.TextChoices):
        QUEUED = "queued", "queued"
        RUNNING = "running", "running"
        CANCELLING = "cancelling", "cancelling"
        SUCCEEDED = "succeeded", "succeeded"
        FAILED = "failed", "failed"
        CANCELLED = "cancelled", "cancelled"

    class Queue(models.TextChoices):
        IO = "io", "io"
        CPU = "cpu", "cpu"
        GPU = "gpu", "gpu"

    UNFINISHED = (State.QUEUED, State.RUNNING, State.CANCELLING)
    HELD = (State.RUNNING, State.CANCELLING)
    """States in which a worker has the job."""
    ANSWERS = (State.QUEUED, State.RUNNING)
    """States in which a job is the answer to whoever asks for the same; one that is being cancelled is not."""

    kind = models.CharField(max_length=32, help_text="name in the registry of kinds")
    title = models.CharField(max_length=100, help_text="the kind in words")
    params = models.JSONField(default=dict)
    queue = models.CharField(max_length=3, choices=Queue, default=Queue.IO)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="jobs")
    fingerprint = models.CharField(
        max_length=64, null=True, blank=True, help_text="SHA-256 of kind and params: one job at it for each"
    )
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)

    attempt = models.PositiveIntegerField(default=0, help_text="counts claims; the fencing token")
    attempts_allowed = models.PositiveIntegerField(default=1)
    worker = models.CharField(max_length=128, blank=True, help_text="who has it or had it last, as host:process")
    lease_until = models.DateTimeField(null=True, blank=True, help_text="until when the worker has it")
    not_before = models.DateTimeField(null=True, blank=True, help_text="a retry waits until then")
    published = models.DateTimeField(null=True, blank=True, help_text="when its message was last sent")

    done = models.PositiveBigIntegerField(default=0)
    total = models.PositiveBigIntegerField(default=0)
    unit = models.CharField(max_length=32, blank=True)
    counted_since = models.DateTimeField(null=True, blank=True, help_text="when this attempt began to count the unit")
    counted_from = models.PositiveBigIntegerField(null=True, blank=True, help_text="what it found done then")
    message = models.CharField(max_length=500, blank=True)
    result = models.JSONField(default=dict)

    created = models.DateTimeField(db_default=Now())
    started = models.DateTimeField(null=True, blank=True, help_text="when the latest attempt began")
    finished = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=["fingerprint"],
                name="job_unfinished_once",
                condition=Q(state__in=("queued", "running")),
            ),
            models.CheckConstraint(condition=Q(attempt__lte=F("attempts_allowed")), name="job_attempts_capped"),
            models.CheckConstraint(
                condition=Q(state="queued", lease_until__isnull=True, finished__isnull=True)
                | Q(
                    state__in=("running", "cancelling"),
                    started__isnull=False,
                    lease_until__isnull=False,
                    finished__isnull=True,
                )
                | Q(
                    state__in=("succeeded", "failed"),
                    started__isnull=False,
                    lease_until__isnull=True,
                    finished__isnull=False,
                )
                | Q(state="cancelled", lease_until__isnull=True, finished__isnull=False),
                name="job_times_follow_state",
            ),
        )
        indexes = (
            models.Index(fields=["state", "queue"], name="job_state_queue"),
            models.Index(fields=["kind", "-id"], name="job_kind_newest"),
        )

    def __str__(self) -> str:
        return f"{self.title or self.kind} {self.pk}"

    @property
    def percent(self) -> int | None:
        """Share done, 0..100; None while the total is not known."""
        return min(100, 100 * self.done // self.total) if self.total else None

    @property
    def unfinished(self) -> bool:
        """Whether something may still come of it."""
        return self.state in self.UNFINISHED


class JobKey(models.Model):
    """An idempotency key and the job that it was answered with: whoever asked gets that one for it, ever."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    key = models.CharField(max_length=128)
    job = models.ForeignKey(Job, models.PROTECT, related_name="keys")

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["owner", "key"], name="job_key_once"),
            models.UniqueConstraint(fields=["key"], name="job_systems_key_once", condition=Q(owner__isnull=True)),
        )

    def __str__(self) -> str:
        return f"key of job {self.job_id}"


class JobEvent(models.Model):
    """A line of a job's log, in the order of ids; never changed, never deleted."""

    class Kind(models.TextChoices):
        QUEUED = "queued", "queued"
        STARTED = "started", "started"
        LOG = "log", "log"
        CANCEL_REQUESTED = "cancel_requested", "cancel requested"
        WORKER_LOST = "worker_lost", "worker lost"
        HANDED_BACK = "handed_back", "handed back"
        RETRIED = "retried", "to be tried again"
        SUCCEEDED = "succeeded", "succeeded"
        FAILED = "failed", "failed"
        CANCELLED = "cancelled", "cancelled"

    job = models.ForeignKey(Job, models.PROTECT, related_name="events")
    kind = models.CharField(max_length=16, choices=Kind)
    attempt = models.PositiveIntegerField(help_text="of the job, when it happened")
    at = models.DateTimeField(db_default=Now())
    text = models.CharField(max_length=2000, blank=True)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.text}" if self.text else self.get_kind_display()


class Worker(models.Model):
    """A Celery worker that is at work: it says so every few seconds, and its row goes when it ends in order."""

    name = models.CharField(max_length=128, unique=True, help_text="host:process")
    queues = models.JSONField(default=list)
    processes = models.PositiveIntegerField(default=1)
    gpus = models.JSONField(null=True, blank=True, help_text="names of the GPUs it has; null while it does not know")
    free_bytes = models.PositiveBigIntegerField(null=True, blank=True, help_text="free on the disk of its DATA_DIR")
    started = models.DateTimeField(db_default=Now())
    seen = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


LEFT_OUT = "left out: "
"""How an outcome begins that is no job."""


class HarvestSchedule(models.Model):
    """A harvest that comes again; `workers.schedules` makes jobs of it."""

    order = models.CharField(max_length=64, unique=True, help_text="name of the order that is kept for the workers")
    params = models.JSONField(default=dict, help_text="of each of its jobs")
    every_hours = models.PositiveIntegerField()
    enabled = models.BooleanField(default=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    next_run = models.DateTimeField()
    last_run = models.DateTimeField(null=True, blank=True, help_text="when it was due last, and seen to be")
    last_job = models.ForeignKey(Job, models.PROTECT, null=True, blank=True, related_name="+")
    outcome = models.CharField(max_length=100, blank=True, help_text="what came of it then")
    created = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ("id",)
        constraints = (models.CheckConstraint(condition=Q(every_hours__gte=1), name="schedule_comes_again"),)

    def __str__(self) -> str:
        return f"schedule {self.pk}"

    @property
    def left_out(self) -> bool:
        """Whether it gave no job when it was due last."""
        return self.outcome.startswith(LEFT_OUT)

    @property
    def every(self) -> str:
        """The interval in words."""
        units = ((168, "week"), (24, "day"), (1, "hour"))
        hours, unit = next(each for each in units if self.every_hours % each[0] == 0)
        count = self.every_hours // hours
        return f"every {unit}" if count == 1 else f"every {count} {unit}s"
