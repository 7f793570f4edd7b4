"""Whether a request wants a part of a page or the whole."""

from django.http import HttpRequest


def is_partial(request: HttpRequest) -> bool:
    """True for HTMX, unless it restores a page from the browser's history."""
    htmx = getattr(request, "htmx", None)
    return htmx is not None and bool(htmx) and not htmx.history_restore_request
