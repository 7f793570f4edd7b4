"""Who gets what: every route and method for every role, with and without public reading.

HEAD is as GET, and OPTIONS tells what the API takes; a route takes no other method than those that stand here.
"""

import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from django.db.models.functions import Now
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from deeplesion_site.accounts import tokens
from tests import factories
from tests.factories_detection import write_files
from workers.models import HarvestSchedule

ROLES = ("anonymous", "nobody", "researcher", "curator", "admin")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

OPEN = (200, 200, 200, 200, 200)
UNPUBLISHED = (404, 404, 404, 200, 200)
ADMIN = (404, 404, 404, 404, 200)
DOWNLOAD = (302, 403, 302, 302, 302)  # to sign in, or to the data-use agreement
UNPUBLISHED_DOWNLOAD = (302, 403, 404, 302, 302)
OWN = (302, 200, 200, 200, 200)
REVIEW = (302, 403, 403, 200, 200)
REVIEW_API = (401, 403, 403, 200, 200)
JOBS_API = (401, 403, 403, 403, 200)

PAGES = {
    "/": OPEN,
    "/map.bin": OPEN,
    "/bodypart/": OPEN,
    "/bodypart/{model}/": OPEN,
    "/bodypart/bpr-none/": (404, 404, 404, 404, 404),
    "/lesions/": OPEN,
    "/lesions.csv": DOWNLOAD,
    "/lesions/{published}/": OPEN,
    "/lesions/{published}/card/": OPEN,
    "/lesions/{drafted}/": UNPUBLISHED,
    "/lesions/{unpublished}/": UNPUBLISHED,
    "/lesions/{unpublished}/card/": UNPUBLISHED,
    "/slices/{slice}.png": OPEN,
    "/slices/{near}.png": OPEN,
    "/slices/{far}.png": UNPUBLISHED,
    "/statistics/": OPEN,
    "/locating/": OPEN,
    "/releases/": OPEN,
    "/releases/first-1.0/": OPEN,
    "/releases/first-1.0/progress/": OPEN,
    "/releases/first-1.0/DL_info.csv": DOWNLOAD,
    "/releases/first-1.0/archive.zip": DOWNLOAD,
    "/releases/first-1.0/agreement/": (302, 403, 200, 200, 200),
    "/releases/first-1.0/manifest.json": (404, 404, 404, 404, 404),  # not made yet
    "/releases/next-0.1/": UNPUBLISHED,
    "/releases/next-0.1/DL_info.csv": UNPUBLISHED_DOWNLOAD,
    "/releases/next-0.1/archive.zip": UNPUBLISHED_DOWNLOAD,
    "/releases/next-0.1/agreement/": (302, 403, 404, 200, 200),
    "/releases/next-0.1/progress/": UNPUBLISHED,
    "/runs/": OPEN,
    "/detecting/": OPEN,
    "/runs/{run}/": OPEN,
    "/runs/{run}/progress/": OPEN,
    "/runs/compare/?run={run}&run={run}": OPEN,
    "/runs/{run}/metrics.jsonl": OPEN,
    "/runs/{run}/{evaluation}/detections.csv": DOWNLOAD,
    "/runs/{run}/{evaluation}/report.json": OPEN,
    "/account/": OWN,
    "/people/": ADMIN,
    "/health/": ADMIN,
    "/metrics": ADMIN,
    "/audit/": ADMIN,
    "/audit.csv": ADMIN,
    "/review/": REVIEW,
    "/review/next/": (302, 403, 403, 302, 302),  # to the first card
    "/review/flagged/{unpublished}/": REVIEW,
    "/review/pairs/{proposal}/": REVIEW,
    "/jobs/": ADMIN,
    "/jobs/{job}/": ADMIN,
    "/jobs/new/": ADMIN,
    "/jobs/schedules/": ADMIN,
    "/jobs/new/{kind}/": ADMIN,
    "/jobs/{job}/for-real/": ADMIN,
    "/jobs/{job}/cancel/": ADMIN,
    "/jobs/{job}/retry/": ADMIN,
    "/jobs/{job}/report/": ADMIN,
    "/jobs/{job}/report.json": ADMIN,
    "/collections/hospital/report/": UNPUBLISHED,
    "/collections/hospital/report.csv": UNPUBLISHED,
    "/?data=release:next-0.1": UNPUBLISHED,
    "/statistics/?data=release:next-0.1": UNPUBLISHED,
}
API = {
    "/api/v1/collections/": OPEN,
    "/api/v1/collections/hospital/": OPEN,
    "/api/v1/patients/": OPEN,
    "/api/v1/patients/{patient}/": OPEN,
    "/api/v1/patients/{other_patient}/": UNPUBLISHED,
    "/api/v1/studies/": OPEN,
    "/api/v1/studies/{study}/": OPEN,
    "/api/v1/studies/{other_study}/": UNPUBLISHED,
    "/api/v1/series/": OPEN,
    "/api/v1/series/{series}/": OPEN,
    "/api/v1/series/{other_series}/": UNPUBLISHED,
    "/api/v1/series/{series}/locations/": OPEN,
    "/api/v1/series/{other_series}/locations/": UNPUBLISHED,
    "/api/v1/lesions/": OPEN,
    "/api/v1/lesions/{published}/": OPEN,
    "/api/v1/lesions/{unpublished}/": UNPUBLISHED,
    "/api/v1/lesions/{published}/locations/": OPEN,
    "/api/v1/lesions/{unpublished}/locations/": UNPUBLISHED,
    "/api/v1/lesions/?format=csv": (401, 403, 403, 403, 403),  # until the agreement is signed
    "/api/v1/releases/": OPEN,
    "/api/v1/releases/first-1.0/": OPEN,
    "/api/v1/releases/next-0.1/": UNPUBLISHED,
    "/api/v1/runs/": OPEN,
    "/api/v1/runs/{run}/": OPEN,
    "/api/v1/evaluations/": OPEN,
    "/api/v1/evaluations/{evaluation}/": OPEN,
    "/api/v1/reviews/": REVIEW_API,
    "/api/v1/reviews/{review}/": REVIEW_API,
    "/api/v1/proposals/": REVIEW_API,
    "/api/v1/jobs/": JOBS_API,
    "/api/v1/jobs/{job}/": JOBS_API,
    "/api/v1/jobs/{job}/events/": JOBS_API,
}
ALWAYS = ("/about/", "/api/docs/", "/api/v1/", "/api/v1/schema/", "/login/", "/health/live", "/health/ready")

ADMIN_DOES = (404, 404, 404, 404, 302)
ADMIN_ERRS = (404, 404, 404, 404, 422)  # the form is empty
REVIEWED = (302, 403, 403, 302, 302)
POSTS = {
    "/account/password/": (302, 422, 422, 422, 422),
    "/account/tokens/": (302, 302, 302, 302, 302),
    "/account/tokens/{token}/revoke/": (302, 404, 404, 404, 404),  # it is somebody else's
    "/releases/first-1.0/agreement/": (302, 403, 422, 422, 422),
    "/releases/next-0.1/agreement/": (302, 403, 404, 422, 422),
    "/people/": ADMIN_DOES,
    "/people/tokens/{token}/revoke/": ADMIN_DOES,
    "/people/{person}/password/": ADMIN,
    "/people/{person}/": ADMIN_DOES,
    "/jobs/new/{kind}/": ADMIN_ERRS,
    "/jobs/schedules/": ADMIN_ERRS,
    "/jobs/schedules/{schedule}/": ADMIN_DOES,
    "/jobs/{job}/for-real/": ADMIN_DOES,
    "/jobs/{job}/cancel/": ADMIN_DOES,
    "/jobs/{job}/retry/": ADMIN_DOES,
    "/api/v1/jobs/": (401, 403, 403, 403, 400),
    "/api/v1/jobs/cost/": (401, 403, 403, 403, 400),
    "/api/v1/jobs/{job}/cancel/": JOBS_API,
    "/api/v1/jobs/{job}/retry/": JOBS_API,
    "/lesions/{published}/review/": REVIEWED,
    "/review/flagged/{unpublished}/verdict/": REVIEWED,
    "/review/undo/{review}/": REVIEWED,
    "/api/v1/reviews/": (401, 403, 403, 400, 400),
    "/api/v1/reviews/{review}/undo/": (401, 403, 403, 409, 409),
    "/login/": (200, 302, 302, 302, 302),
    "/logout/": (302, 302, 302, 302, 302),  # the last: whoever was signed in is so no more
}
"""With an empty form, or empty JSON."""

GETS = {**PAGES, **API}
ClientOf = Callable[[str], Client]


@pytest.fixture
def fill(dataset: SimpleNamespace) -> Callable[[str], str]:
    """Put the numbers of the dataset's rows into an address."""
    first, third = dataset.published, dataset.unpublished
    write_files(dataset.evaluation)
    around = {place.number: place.pk for place in first.slice.series.slices.all()}
    person = factories.make_user("researcher")
    schedule = HarvestSchedule.objects.create(order="b" * 64, params={}, every_hours=1, next_run=Now())
    names = {
        "published": first.pk,
        "drafted": dataset.drafted.pk,
        "unpublished": third.pk,
        "slice": first.slice_id,
        "near": around[18],
        "far": around[40],
        "model": "bpr-test",
        "job": dataset.job.pk,
        "kind": "manifest",
        "run": dataset.evaluation.run_id,
        "evaluation": dataset.evaluation.pk,
        "proposal": factories.make_proposal(dataset.drafted, third).pk,
        "patient": first.slice.series.study.patient_id,
        "study": first.slice.series.study_id,
        "series": first.slice.series_id,
        "other_patient": third.slice.series.study.patient_id,
        "other_study": third.slice.series.study_id,
        "other_series": third.slice.series_id,
        "review": factories.make_review(lesion=first).pk,
        "person": person.pk,
        "token": tokens.issue(owner=person, name="script", scopes=["read"], days=30)[0].pk,
        "schedule": schedule.pk,
    }
    return lambda address: address.format(**names)


@pytest.mark.parametrize("role", ROLES)
def test_each_role_gets_what_the_table_says(role: str, client_of: ClientOf, fill: Callable[[str], str]) -> None:
    client = client_of(role)
    answers = {address: client.get(fill(address)).status_code for address in GETS}
    assert answers == {address: codes[ROLES.index(role)] for address, codes in GETS.items()}


@pytest.mark.parametrize("role", ROLES)
def test_each_role_does_what_the_table_says(role: str, client_of: ClientOf, fill: Callable[[str], str]) -> None:
    client = client_of(role)
    answers = {address: post(client, fill(address)) for address in POSTS}
    assert {address: answer.status_code for address, answer in answers.items()} == {
        address: codes[ROLES.index(role)] for address, codes in POSTS.items()
    }
    asked_to_sign_in = {
        address for address, answer in answers.items() if answer.get("Location", "").startswith("/login/")
    }
    assert asked_to_sign_in == {
        address
        for address, codes in POSTS.items()
        if role == "anonymous" and codes[0] == 302 and address != "/logout/"
    }


def post(client: Client, address: str) -> HttpResponse:
    return client.post(address, {}, content_type="application/json") if "/api/" in address else client.post(address)


def test_a_token_to_watch_sees_jobs_and_does_nothing(
    client: Client, fill: Callable[[str], str], settings: SimpleNamespace
) -> None:
    settings.PUBLIC_READ = False
    _, secret = tokens.issue(owner=factories.make_user("admin"), name="prometheus", scopes=["watch"], days=30)
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {secret}"
    assert {address for address in GETS if client.get(fill(address)).status_code == 200} == {
        "/health/", "/metrics", "/jobs/", "/jobs/{job}/", "/jobs/{job}/report/", "/jobs/{job}/report.json",
        "/api/v1/jobs/", "/api/v1/jobs/{job}/", "/api/v1/jobs/{job}/events/",
    }  # fmt: skip
    answers = {address: post(client, fill(address)).status_code for address in POSTS if "/log" not in address}
    assert {address: code for address, code in answers.items() if code not in (403, 404)} == {}


@pytest.mark.parametrize("role", ROLES)
def test_no_role_gets_anywhere_by_another_method(role: str, client_of: ClientOf, fill: Callable[[str], str]) -> None:
    client = client_of(role)
    declared: dict[str, set[str]] = {}
    for method, table in (("GET", (*GETS, *ALWAYS)), ("POST", POSTS)):
        for address in table:
            declared.setdefault(address.split("?")[0], set()).add(method)
    for address, methods in declared.items():
        for method in (each for each in METHODS if each not in methods):
            answer = client.generic(method, fill(address))
            # Only the API may ask first who it is.
            refusals = (401, 403, 405) if address.startswith("/api/v1/") else (405,)
            assert answer.status_code in refusals, (method, address)
            if address.startswith("/api/v1/"):
                assert answer["Content-Type"] == "application/problem+json", (method, address)


@pytest.mark.parametrize("role", ROLES)
def test_without_public_reading_a_role_is_needed(
    role: str, client_of: ClientOf, fill: Callable[[str], str], settings: SimpleNamespace
) -> None:
    settings.PUBLIC_READ = False
    client = client_of(role)
    for address, codes in PAGES.items():
        wanted = codes[ROLES.index(role)]
        if codes is OWN or address.startswith("/review/"):
            pass
        elif role in ("anonymous", "nobody") and codes is not ADMIN and not address.startswith("/slices/"):
            wanted = 302 if role == "anonymous" else 403
        elif role in ("anonymous", "nobody"):
            wanted = 404
        assert client.get(fill(address)).status_code == wanted, address
    for address, codes in API.items():
        wanted = {"anonymous": 401, "nobody": 403}.get(role, codes[ROLES.index(role)])
        assert client.get(fill(address)).status_code == wanted, address


def test_what_can_only_be_read_says_so_whoever_asks(
    client_of: ClientOf, fill: Callable[[str], str], settings: SimpleNamespace
) -> None:
    settings.PUBLIC_READ = False
    client = client_of("anonymous")
    client.handler.enforce_csrf_checks = True
    for address in (*API, "/api/v1/", "/api/v1/schema/"):
        if API.get(address) not in (REVIEW_API, JOBS_API):
            answer = client.delete(fill(address))
            assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD, OPTIONS"), address


def test_every_route_is_in_one_of_the_tables() -> None:
    shapes = {_shape(address.split("?")[0]) for address in (*GETS, *ALWAYS, *POSTS)}
    assert {route for route in _routes(get_resolver().url_patterns) if _shape("/" + route) not in shapes} == set()


def _routes(patterns: list[URLPattern | URLResolver], before: str = "") -> Iterator[str]:
    for item in patterns:
        here = before + str(item.pattern)
        if isinstance(item, URLResolver):
            yield from _routes(item.url_patterns, here)
        else:
            yield here


def _shape(address: str) -> str:
    """Replace names and numbers by a star, for routes as well as for addresses."""
    address = address.replace("^", "").rstrip("$").replace("\\Z", "").replace("\\.", ".")
    address = re.sub(
        r"\(\?P<\w+>(?:[^()]|\([^)]*\))*\)|<[^>]+>|\{\w+\}|first-1\.0|next-0\.1|(?<=review/)(?:flagged|pairs)|(?<=report\.)(?:json|csv)",
        "*",
        address,
    )
    return re.sub(r"/hospital/", "/*/", address)
