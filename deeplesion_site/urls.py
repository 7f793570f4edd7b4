"""Every address of the site."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import URLPattern, URLResolver, include, path
from django.views.decorators.http import require_http_methods, require_POST

from deeplesion_site import health, metrics
from deeplesion_site.accounts.sign_in import SignIn
from deeplesion_site.dashboard import errors

form = require_http_methods(["GET", "HEAD", "POST"])

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("deeplesion_site.dashboard.urls")),
    path("api/v1/", include("deeplesion_site.api.urls")),
    path("health/live", health.live, name="health-live"),
    path("health/ready", health.ready, name="health-ready"),
    path("metrics", metrics.metrics, name="metrics"),
    # Left to themselves, Django's views take PUT for POST.
    path(
        "login/", form(LoginView.as_view(authentication_form=SignIn, redirect_authenticated_user=True)), name="login"
    ),
    path("logout/", require_POST(LogoutView.as_view()), name="logout"),
]

handler400 = errors.bad_request
handler403 = errors.forbidden
handler404 = errors.not_found
handler500 = errors.failed
