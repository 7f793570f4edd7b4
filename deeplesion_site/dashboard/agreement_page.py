"""The data-use agreement of a release, and the guard that asks for it before a download."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from deeplesion_site.access import Right, needs
from deeplesion_site.accounts import agreements
from deeplesion_site.dashboard.release_pages import release_or_404

View = Callable[..., HttpResponseBase]


def signed(view: View) -> View:
    """Lead an account that has not signed for the release to the agreement, and back to the download afterwards."""

    @wraps(view)
    def guarded(request: HttpRequest, name: str, *args: Any, **kwargs: Any) -> HttpResponseBase:
        release = release_or_404(request, name)
        if agreements.has_signed(request.user, release):
            return view(request, name, *args, **kwargs)
        page = reverse("agreement", args=[name])
        if getattr(request.user, "token", None) is not None:
            raise PermissionDenied(f"Sign the data-use agreement of this release first, at {page}.")
        return redirect(f"{page}?{urlencode({'next': request.get_full_path()})}")

    return guarded


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
        # Only to this release's own downloads: a link could carry any address.
        own = following.startswith(reverse("release", args=[name])) and "//" not in following
        return redirect(following if own else reverse("release", args=[name]))
    return render(request, "agreement_page.html", context)
