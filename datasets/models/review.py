"""What people said of lesions, and which pairs of lesions they were asked about.

Verdicts are added, never changed: taking one back adds a row as well. The latest that was not taken back stands.
"""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from datasets.models.lesion import Lesion


class Proposal(models.Model):
    """Two lesions of one series that may be one; a curator decides."""

    class Reason(models.TextChoices):
        OVERLAP = "overlap", "overlap on one slice"
        NEIGHBOURS = "neighbours", "overlap on slices close by"

    first = models.ForeignKey(Lesion, models.PROTECT, related_name="proposals_first")
    second = models.ForeignKey(Lesion, models.PROTECT, related_name="proposals_second")
    reason = models.CharField(max_length=12, choices=Reason)
    value = models.FloatField(help_text="IoU of the boxes, seen from above")
    threshold = models.FloatField(help_text="the least IoU that is proposed")
    distance_mm = models.FloatField(default=0.0, help_text="between their slices")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=("first", "second"), name="proposal_once"),
            models.CheckConstraint(condition=Q(first__lt=F("second")), name="proposal_in_order"),
        )

    def __str__(self) -> str:
        return f"{self.first_id} and {self.second_id}"


class Review(models.Model):
    """One verdict, on a lesion or on a proposal. Rows never change and stay: triggers refuse updates and deletions."""

    class Verdict(models.TextChoices):
        KEEP = "keep", "a lesion"
        REJECT = "reject", "not a lesion"
        SPLIT = "split", "not one lesion"
        MERGE = "merge", "the same lesion"
        DISTINCT = "distinct", "not the same"
        WITHDRAWN = "withdrawn", "verdict withdrawn"

    OF_LESIONS = (Verdict.KEEP, Verdict.REJECT, Verdict.SPLIT)
    OF_PROPOSALS = (Verdict.MERGE, Verdict.DISTINCT)

    lesion = models.ForeignKey(Lesion, models.PROTECT, null=True, blank=True, related_name="reviews")
    proposal = models.ForeignKey(Proposal, models.PROTECT, null=True, blank=True, related_name="reviews")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="reviews")
    verdict = models.CharField(max_length=10, choices=Verdict)
    undoes = models.OneToOneField("self", models.PROTECT, null=True, blank=True, related_name="undone_by")
    note = models.CharField(max_length=1000, blank=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(
                condition=Q(lesion__isnull=False, proposal__isnull=True)
                | Q(lesion__isnull=True, proposal__isnull=False),
                name="review_of_lesion_or_proposal",
            ),
            models.CheckConstraint(
                condition=Q(verdict="withdrawn", undoes__isnull=False)
                | Q(verdict__in=("keep", "reject", "split"), lesion__isnull=False, undoes__isnull=True)
                | Q(verdict__in=("merge", "distinct"), proposal__isnull=False, undoes__isnull=True),
                name="review_verdict_fits",
            ),
        )

    def __str__(self) -> str:
        return f"{self.lesion_id or self.proposal}: {self.get_verdict_display()}"


STANDING_REVIEW = Q(undoes=None, undone_by=None)
"""Verdicts that nobody took back; of several on one thing the latest counts."""
