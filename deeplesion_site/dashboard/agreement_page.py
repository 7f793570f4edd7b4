"""The data-use agreement of a release, and the guard that asks for it before a download."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import Resolver404, resolve, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods

from datasets.models import Release
from deeplesion_site.access import Right, needs
from deeplesion_site.accounts import agreements
from deeplesion_site.dashboard.release_pages import release_or_404

View = Callable[..., HttpResponseBase]
DOWNLOADS = frozenset({"release-table", "release-archive", "lesions-csv", "run-detections"})
"""Routes to what asks for a signature."""


def signed(view: View) -> View:
    """Lead an account that has not signed for the release to the agreement, and back to the download afterwards."""

    @wraps(view)
    def guarded(request: HttpRequest, name: str, *args: Any, **kwargs: Any) -> HttpResponseBase:
        release = release_or_404(request, name)
        if agreements.has_signed(request.user, release):
            return view(request, name, *args, **kwargs)
        return ask_to_sign(request, release)

    return guarded


def ask_to_sign(request: HttpRequest, release: Release) -> HttpResponseBase:
    """Lead a person to the agreement of a release, and back to the download afterwards; tell a program where it is.

    Raises
    ------
    PermissionDenied
    """
    if getattr(request.user, "token", None) is not None:
        raise PermissionDenied(agreements.sentence(release))
    page = reverse("agreement", args=[release.name])
    return redirect(f"{page}?{urlencode({'next': request.get_full_path()})}")


def _is_download(address: str) -> bool:
    """Whether an address is a download of this site: a link could carry any other."""
    if not url_has_allowed_host_and_scheme(address, allowed_hosts=None):
        return False
    try:
        return resolve(urlsplit(address).path).url_name in DOWNLOADS
    except Resolver404:
        return False


@require_http_methods(["GET", "HEAD", "POST"])
@needs(Right.DOWNLOAD)
def agreement_page(request: HttpRequest, name: str) -> HttpResponseBase:
    release = release_or_404(request, name)
    following = request.POST.get("next") or request.GET.get("next", "")
    context: dict[str, Any] = {
        "release": release,
        "paragraphs": agreements.text().split("\n\n"),
        "signed": agreements.has_signed(request.user, release),
        "next": following,
        "values": request.POST,
    }
    if request.method == "POST":
        try:
            agreements.sign(
                user=request.user,
                release=release,
                full_name=request.POST.get("full_name", ""),
                institution=request.POST.get("institution", ""),
                agrees=request.POST.get("agrees") == "on",
            )
        except agreements.NotSigned as error:
            return render(request, "agreement_page.html", {**context, "error": str(error)}, status=422)
        return redirect(following if _is_download(following) else reverse("release", args=[name]))
    return render(request, "agreement_page.html", context)
