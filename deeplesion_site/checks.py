"""What `manage.py check --deploy` says of a site that others reach, beside Django's own checks."""

from typing import Any

from django.conf import settings
from django.core.checks import Tags, Warning, register
from django.db import connection


@register(Tags.security, deploy=True)
def production(**_: Any) -> list[Warning]:
    """Warn of settings that start, and are unfit for more than a trial."""
    if not settings.PRODUCTION:
        return []
    found = []
    if connection.vendor == "sqlite":
        found.append(
            Warning(
                "DATABASE_URL names SQLite, which takes one writer at a time and no worker on another machine.",
                hint="Use PostgreSQL. With SQLite keep site and workers on one machine, on a disk of its own.",
                id="deeplesion.W001",
            )
        )
    if not settings.TRUSTED_PROXIES:
        found.append(
            Warning(
                "TRUSTED_PROXIES is 0, so that everybody behind the proxy is one address: wrong passwords of one "
                "close the sign-in for all.",
                hint="Set it to the number of proxies that add to X-Forwarded-For; docs/settings.md tells how.",
                id="deeplesion.W002",
            )
        )
    return found
