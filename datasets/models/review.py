"""Review: what a person said of a lesion. The latest verdict counts; earlier ones stay."""

from django.conf import settings
from django.db import models

from datasets.models.lesion import Lesion


class Review(models.Model):
    class Verdict(models.TextChoices):
        KEEP = "keep", "a lesion"
        REJECT = "reject", "not a lesion"
        WITHDRAWN = "withdrawn", "no verdict"

    lesion = models.ForeignKey(Lesion, models.PROTECT, related_name="reviews")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="reviews")
    verdict = models.CharField(max_length=10, choices=Verdict)
    note = models.CharField(max_length=1000, blank=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.lesion_id}: {self.get_verdict_display()}"
