"""Job: the record of work that takes time, whoever started it and wherever it runs."""

from django.conf import settings
from django.db import models
from django.db.models import Q


class Job(models.Model):
    class Kind(models.TextChoices):
        HARVEST = "harvest", "harvest"
        RELEASE = "release", "publish release"
        MANIFEST = "manifest", "prepare downloads"
        BODYPART = "bodypart", "train body-part regressor"
        LOCATE = "locate", "locate lesions"
        TRAIN = "train", "train detector"
        EVALUATE = "evaluate", "evaluate detector"

    class State(models.TextChoices):
        QUEUED = "queued", "queued"
        RUNNING = "running", "running"
        SUCCEEDED = "succeeded", "succeeded"
        FAILED = "failed", "failed"

    kind = models.CharField(max_length=16, choices=Kind)
    params = models.JSONField(default=dict)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="jobs")
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    done = models.PositiveBigIntegerField(default=0)
    total = models.PositiveBigIntegerField(default=0)
    unit = models.CharField(max_length=32, blank=True)
    message = models.CharField(max_length=500, blank=True)
    result = models.JSONField(default=dict)
    created = models.DateTimeField(auto_now_add=True)
    started = models.DateTimeField(null=True, blank=True)
    heartbeat = models.DateTimeField(null=True, blank=True, help_text="last sign of life of the worker")
    finished = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(
                condition=Q(state="queued", started__isnull=True, finished__isnull=True)
                | Q(state="running", started__isnull=False, finished__isnull=True)
                | Q(state__in=("succeeded", "failed"), started__isnull=False, finished__isnull=False),
                name="job_times_follow_state",
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"

    @property
    def percent(self) -> int | None:
        """Share done, 0..100; None while the total is not known."""
        return min(100, 100 * self.done // self.total) if self.total else None
