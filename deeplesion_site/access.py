"""Who may do what. Everything that this table does not allow is denied.

Roles are Django groups; a superuser is an admin, and an account without a group has the rights of a visitor.
"""

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase

from datasets.selectors.visibility import Visibility


class Right(StrEnum):
    READ_PUBLISHED = "read published releases"
    READ_UNPUBLISHED = "read unpublished lesions and drafts"
    REVIEW = "review lesions"
    DOWNLOAD = "download releases"
    SEE_JOBS = "see jobs"
    RUN_JOBS = "start, cancel and retry jobs"
    MANAGE_ACCOUNTS = "manage accounts"
    READ_AUDIT_LOG = "read the audit log"


class Role(StrEnum):
    ANONYMOUS = "anonymous"
    RESEARCHER = "researcher"
    CURATOR = "curator"
    ADMIN = "admin"


GROUPS = (Role.RESEARCHER, Role.CURATOR, Role.ADMIN)

RIGHTS: dict[Role, frozenset[Right]] = {
    Role.ANONYMOUS: frozenset(),  # READ_PUBLISHED while PUBLIC_READ is on
    Role.RESEARCHER: frozenset({Right.READ_PUBLISHED, Right.DOWNLOAD}),
    Role.CURATOR: frozenset({Right.READ_PUBLISHED, Right.DOWNLOAD, Right.READ_UNPUBLISHED, Right.REVIEW}),
    Role.ADMIN: frozenset(Right),
}

SCOPES: dict[str, frozenset[Right]] = {
    "read": frozenset({Right.READ_PUBLISHED, Right.READ_UNPUBLISHED}),
    "download": frozenset({Right.READ_PUBLISHED, Right.READ_UNPUBLISHED, Right.DOWNLOAD}),
    "review": frozenset({Right.READ_PUBLISHED, Right.READ_UNPUBLISHED, Right.REVIEW}),
    "watch": frozenset({Right.SEE_JOBS}),
    "jobs": frozenset({Right.SEE_JOBS, Right.RUN_JOBS}),
}
"""What an access token may do at most; it never gives its owner more than the role does."""


def roles(user: Any) -> frozenset[Role]:
    """The roles of an account, read once per request."""
    if not user.is_authenticated or not user.is_active:
        return frozenset({Role.ANONYMOUS})
    if not hasattr(user, "_roles"):
        names = {Role.ADMIN} if user.is_superuser else set(user.groups.values_list("name", flat=True))
        user._roles = frozenset({Role.ANONYMOUS, *(role for role in GROUPS if role in names)})
    return user._roles


def rights(user: Any) -> frozenset[Right]:
    """All that an account may do."""
    public = {Right.READ_PUBLISHED} if settings.PUBLIC_READ else frozenset()
    given = frozenset(public).union(*(RIGHTS[role] for role in roles(user)))
    token = getattr(user, "token", None)
    return given if token is None else given & frozenset().union(*(SCOPES[scope] for scope in token.scopes))


def may(user: Any, right: Right) -> bool:
    """Whether an account has a right."""
    return right in rights(user)


def visibility(user: Any) -> Visibility:
    """How much of the dataset an account sees."""
    if may(user, Right.READ_UNPUBLISHED):
        return Visibility.EVERYTHING
    return Visibility.PUBLISHED if may(user, Right.READ_PUBLISHED) else Visibility.NOTHING


View = Callable[..., HttpResponseBase]


def needs(right: Right) -> Callable[[View], View]:
    """Guard a page.

    Without READ_PUBLISHED, DOWNLOAD or REVIEW a visitor is asked to sign in, and an account without the role gets
    403. Whoever lacks another right gets 404: they need not know that the page is there.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if may(request.user, right):
                return view(request, *args, **kwargs)
            if right not in (Right.READ_PUBLISHED, Right.DOWNLOAD, Right.REVIEW):
                raise Http404
            if request.user.is_authenticated:
                raise PermissionDenied
            return _ask_to_sign_in(request)

        return guarded

    return decorate


def _ask_to_sign_in(request: HttpRequest) -> HttpResponseBase:
    """Lead a person to the page where one signs in; a program would save that page as if it were the file."""
    wanted = request.headers.get("Accept", "text/html")
    if "text/html" in wanted or "HX-Request" in request.headers:
        return redirect_to_login(request.get_full_path())
    from deeplesion_site.api.problems import unauthorized

    return unauthorized(request, "Send an access token of your account: Authorization: Bearer TOKEN.")


def signed_in(view: View) -> View:
    """Guard a page about the account itself: a person signed in with a password, whatever the role, and no token."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if getattr(request.user, "token", None) is not None:
            raise PermissionDenied
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        return view(request, *args, **kwargs)

    return guarded


def context(request: HttpRequest) -> dict[str, Any]:
    """What every template knows of the account; a context processor."""
    if not hasattr(request, "user"):
        return {}
    given = rights(request.user)
    return {
        "may_read": Right.READ_PUBLISHED in given,
        "may_download": Right.DOWNLOAD in given,
        "may_review": Right.REVIEW in given,
        "may_see_jobs": Right.SEE_JOBS in given,
        "may_run_jobs": Right.RUN_JOBS in given,
        "may_manage": Right.MANAGE_ACCOUNTS in given,
    }
