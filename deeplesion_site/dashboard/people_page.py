"""Accounts and their roles, for administrators."""

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from deeplesion_site import access
from deeplesion_site.access import GROUPS, Right, needs
from deeplesion_site.accounts import people, tokens


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@needs(Right.MANAGE_ACCOUNTS)
def people_page(request: HttpRequest) -> HttpResponse:
    """List the accounts; a POST makes one and shows its first password, once."""
    shown = {}
    if request.method == "POST":
        try:
            user, password = people.create(
                name=request.POST.get("name", ""), role=request.POST.get("role", ""), by=request.user
            )
            shown = {"made": user, "password": password}
        except people.BadAccount as error:
            messages.error(request, str(error))
            return redirect("people")
    return _page(request, shown)


@require_POST
@needs(Right.MANAGE_ACCOUNTS)
def change_person(request: HttpRequest, pk: int) -> HttpResponse:
    user = _user(pk)
    try:
        people.change(
            user=user, role=request.POST.get("role", ""), active=request.POST.get("active") == "on", by=request.user
        )
        messages.success(request, f"{user.get_username()} is changed.")
    except people.BadAccount as error:
        messages.error(request, str(error))
    return redirect("people")


@require_POST
@never_cache
@needs(Right.MANAGE_ACCOUNTS)
def replace_password(request: HttpRequest, pk: int) -> HttpResponse:
    user = _user(pk)
    return _page(request, {"made": user, "password": people.new_password(user=user, by=request.user)})


@require_POST
@needs(Right.MANAGE_ACCOUNTS)
def revoke_any_token(request: HttpRequest, pk: int) -> HttpResponse:
    token = tokens.active().filter(pk=pk).first()
    if token is None:
        raise Http404
    tokens.revoke(token=token, by=request.user)
    messages.success(request, f"The token “{token.name}” of {token.owner.get_username()} no longer works.")
    return redirect("people")


def _page(request: HttpRequest, shown: dict[str, object]) -> HttpResponse:
    rows = [(user, next(iter(sorted(access.roles(user) & set(GROUPS))), "")) for user in people.people()]
    return render(request, "people_page.html", {"people": rows, "roles": GROUPS, "tokens": tokens.active(), **shown})


def _user(pk: int) -> User:
    user = people.find(pk)
    if user is None:
        raise Http404
    return user
