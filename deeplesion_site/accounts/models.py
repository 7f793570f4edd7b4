"""Access tokens, data-use agreements and the audit log. Accounts themselves are Django's; they are never deleted."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from datasets.models import Release


class Action(models.TextChoices):
    SIGNED_IN = "signed-in", "signed in"
    LOCKED_OUT = "locked-out", "was locked out"
    DOWNLOADED = "downloaded", "downloaded"
    AGREED = "agreed", "signed the agreement for"
    TOKEN_ISSUED = "token-issued", "issued a token"
    TOKEN_REVOKED = "token-revoked", "revoked a token"
    ACCOUNT_CREATED = "account-created", "created the account"
    ACCOUNT_CHANGED = "account-changed", "changed the account"
    JOB_STARTED = "job-started", "started"
    JOB_CANCELLED = "job-cancelled", "cancelled"
    JOB_RETRIED = "job-retried", "retried"


class AccessToken(models.Model):
    """A key to the API. Its secret is shown once; what is kept is a keyed hash of it."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="access_tokens")
    name = models.CharField(max_length=60, help_text="what it is for")
    beginning = models.CharField(max_length=10, help_text="the secret's first characters, to tell tokens apart")
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    created = models.DateTimeField(auto_now_add=True)
    expires = models.DateTimeField()
    revoked = models.DateTimeField(null=True, blank=True)
    last_used = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(condition=Q(expires__gt=F("created")), name="token_expires_after_it_begins"),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.beginning}…)"

    @property
    def state(self) -> str:
        """One of "revoked", "expired", "active"."""
        if self.revoked:
            return "revoked"
        return "expired" if self.expires <= timezone.now() else "active"


class Agreement(models.Model):
    """Somebody signed the data-use agreement for one release."""

    signer = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="agreements")
    release = models.ForeignKey(Release, models.PROTECT, related_name="agreements")
    text_hash = models.CharField(max_length=64, help_text="SHA-256 of the text that was signed")
    full_name = models.CharField(max_length=120)
    institution = models.CharField(max_length=160)
    signed = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(fields=("signer", "release", "text_hash"), name="agreement_signed_once"),
            models.CheckConstraint(condition=~Q(full_name="") & ~Q(institution=""), name="agreement_names_its_signer"),
        )

    def __str__(self) -> str:
        return f"{self.full_name}, {self.release}"


class AuditEntry(models.Model):
    """One thing that somebody did. The database lets nobody change or delete it."""

    at = models.DateTimeField(auto_now_add=True)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    action = models.CharField(max_length=20, choices=Action)
    subject = models.CharField(max_length=200, blank=True)
    details = models.JSONField(default=dict)

    class Meta:
        ordering = ("-id",)
        verbose_name_plural = "audit entries"
        indexes = (
            models.Index(fields=("action", "-id"), name="audit_by_action"),
            models.Index(fields=("actor", "-id"), name="audit_by_actor"),
        )
        constraints = (models.CheckConstraint(condition=Q(action__in=Action.values), name="audit_action_known"),)

    def __str__(self) -> str:
        return f"{self.actor or 'somebody'} {self.get_action_display()} {self.subject}".strip()
