"""One's own account: password, access tokens, signed agreements."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from deeplesion_site import access
from deeplesion_site.access import signed_in
from deeplesion_site.accounts import agreements, people, tokens

DAYS = (("7", "a week"), ("30", "30 days"), ("90", "90 days"), ("365", "a year"))
SCOPES = {
    "read": "browse and query",
    "download": "download releases whose agreement you signed",
    "review": "record verdicts",
    "watch": "see jobs, health and metrics",
    "jobs": "start and watch jobs",
}


@require_safe
@never_cache
@signed_in
def account_page(request: HttpRequest) -> HttpResponse:
    return render(request, "account_page.html", _context(request))


@require_POST
@never_cache
@signed_in
def issue_token(request: HttpRequest) -> HttpResponse:
    """Make a token; the answer is the only place where its secret stands."""
    days = request.POST.get("days", "")
    try:
        made, secret = tokens.issue(
            owner=request.user,
            name=request.POST.get("name", ""),
            scopes=request.POST.getlist("scope"),
            days=int(days) if days.isdecimal() and len(days) < 5 else 0,
        )
    except tokens.BadToken as error:
        messages.error(request, str(error))
        return redirect("account")
    return render(request, "account_page.html", {**_context(request), "made": made, "secret": secret})


@require_POST
@signed_in
def revoke_token(request: HttpRequest, pk: int) -> HttpResponse:
    token = tokens.of(request.user).filter(pk=pk).first()
    if token is None:
        raise Http404
    tokens.revoke(token=token, by=request.user)
    messages.success(request, f"The token “{token.name}” no longer works.")
    return redirect("account")


@require_POST
@never_cache
@signed_in
def change_password(request: HttpRequest) -> HttpResponse:
    form = PasswordChangeForm(_user(request), request.POST)
    if not form.is_valid():
        return render(request, "account_page.html", {**_context(request), "password_form": form}, status=422)
    people.own_password(user=form.user, password=form.cleaned_data["new_password1"])
    update_session_auth_hash(request, form.user)
    messages.success(
        request,
        "Your password is changed. Other sessions of this account have ended; its access tokens work until you revoke "
        "them.",
    )
    return redirect("account")


def _context(request: HttpRequest) -> dict[str, Any]:
    given = access.rights(request.user)
    return {
        "roles": sorted(access.roles(request.user) - {access.Role.ANONYMOUS}),
        "tokens": tokens.of(request.user),
        "agreements": agreements.of(request.user),
        "scopes": [(scope, words) for scope, words in SCOPES.items() if access.SCOPES[scope] & given],
        "days": DAYS,
        "password_form": PasswordChangeForm(_user(request)),
    }


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # `signed_in` let nobody else through
    return request.user
