"""Guessing passwords: one limit for a name from an address, and one for all names together from it."""

import ipaddress
from typing import Any

from axes.attempts import get_cool_off_threshold
from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.db.models import Sum
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str | None:
    """The address that a request came from, as the outermost of our own proxies saw it.

    Each proxy adds the address that it was asked from at the end of X-Forwarded-For, so as many entries from there are
    true as there are proxies of ours; what stands before them is the client's own invention.
    """
    asked_from = _canonical(request.META.get("REMOTE_ADDR", ""))
    proxies: int = settings.TRUSTED_PROXIES
    told = [each.strip() for each in request.headers.get("X-Forwarded-For", "").split(",")]
    if not proxies or len(told) < proxies:
        return asked_from
    return _canonical(told[-proxies]) or asked_from


def _canonical(text: str) -> str | None:
    """An address as it counts; None where it is none."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    # Whoever has one IPv6 address has the 2**64 of its network.
    return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False).network_address)


class LoginThrottle(AxesDatabaseHandler):
    """What decides whether somebody may try once more."""

    def get_failures(self, request: Any, credentials: dict[str, Any] | None = None) -> int:
        """Wrong passwords that count against a request; an address that has tried too often has used up its own."""
        found: int = super().get_failures(request, credentials)
        lately = AccessAttempt.objects.filter(
            ip_address=request.axes_ip_address, attempt_time__gte=get_cool_off_threshold(request)
        )
        tried = lately.aggregate(tried=Sum("failures_since_start"))["tried"] or 0
        return max(found, settings.AXES_FAILURE_LIMIT if tried >= settings.LOGIN_FAILURES_OF_ADDRESS else 0)
