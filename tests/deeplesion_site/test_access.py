"""Who gets what: every address for every role, with and without public reading."""

import re
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tests import factories
from tests.factories_detection import write_files

ROLES = ("anonymous", "nobody", "researcher", "curator", "admin")

OPEN = (200, 200, 200, 200, 200)
UNPUBLISHED = (404, 404, 404, 200, 200)
ADMIN = (404, 404, 404, 404, 200)
DOWNLOAD = (302, 403, 302, 302, 302)  # to sign in, or to the data-use agreement
UNPUBLISHED_DOWNLOAD = (302, 403, 404, 302, 302)
OWN = (302, 200, 200, 200, 200)
REVIEW = (302, 403, 403, 200, 200)

PAGES = {
    "/": OPEN,
    "/map.bin": OPEN,
    "/bodypart/": OPEN,
    "/bodypart/{model}/": OPEN,
    "/bodypart/bpr-none/": (404, 404, 404, 404, 404),
    "/lesions/": OPEN,
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
    "/runs/{run}/{evaluation}/detections.csv": OPEN,
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
    "/api/v1/lesions/": OPEN,
    "/api/v1/lesions/{published}/": OPEN,
    "/api/v1/lesions/{unpublished}/": UNPUBLISHED,
    "/api/v1/lesions/?format=csv": OPEN,
    "/api/v1/releases/": OPEN,
    "/api/v1/releases/first-1.0/": OPEN,
    "/api/v1/releases/next-0.1/": UNPUBLISHED,
    "/api/v1/runs/": OPEN,
    "/api/v1/runs/{run}/": OPEN,
    "/api/v1/evaluations/": OPEN,
    "/api/v1/evaluations/{evaluation}/": OPEN,
}
ALWAYS = ("/about/", "/api/docs/", "/api/v1/", "/api/v1/schema/", "/login/", "/health/live", "/health/ready")
REVIEWED = (
    "/review/flagged/{published}/verdict/",
    "/review/undo/{published}/",
    "/api/v1/proposals/",
    "/api/v1/reviews/",
    "/api/v1/reviews/{nothing}/",
    "/api/v1/reviews/{nothing}/undo/",
)
"""For curators; test_review_pages.py asks as every role."""
WORKED = (
    "/api/v1/jobs/",
    "/api/v1/jobs/{nothing}/",
    "/api/v1/jobs/{nothing}/events/",
    "/api/v1/jobs/{nothing}/cancel/",
    "/api/v1/jobs/{nothing}/retry/",
)
"""For administrators; test_api_jobs.py asks as every role."""
POSTED = {
    "/account/password/": OWN,
    "/account/tokens/": OWN,
    "/account/tokens/{nothing}/revoke/": OWN,
    "/people/{nothing}/": ADMIN,
    "/people/{nothing}/password/": ADMIN,
    "/people/tokens/{nothing}/revoke/": ADMIN,
    "/jobs/schedules/{nothing}/": ADMIN,
}
"""Pages that take a POST alone; test_accounts.py posts to them."""
OTHER = {"/logout/", "/lesions/{published}/review/", *REVIEWED, *WORKED, *POSTED}

ClientOf = Callable[[str], Client]


@pytest.fixture
def fill(dataset: SimpleNamespace) -> Callable[[str], str]:
    """Put the numbers of the dataset's rows into an address."""
    first, third = dataset.published, dataset.unpublished
    write_files(dataset.evaluation)
    around = {place.number: place.pk for place in first.slice.series.slices.all()}
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
    }
    return lambda address: address.format(**names)


@pytest.mark.parametrize("role", ROLES)
def test_each_role_gets_what_the_table_says(role: str, client_of: ClientOf, fill: Callable[[str], str]) -> None:
    client = client_of(role)
    answers = {address: client.get(fill(address)).status_code for address in {**PAGES, **API}}
    assert answers == {address: codes[ROLES.index(role)] for address, codes in {**PAGES, **API}.items()}


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


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("address", "codes"), POSTED.items())
def test_what_takes_posts_takes_nothing_else_and_not_from_everybody(
    role: str, address: str, codes: tuple[int, ...], client_of: ClientOf
) -> None:
    client, address = client_of(role), address.format(nothing=0)
    assert client.get(address).status_code == 405
    denied = {OWN: 302, ADMIN: 404}[codes] if codes[ROLES.index(role)] != 200 else None
    answer = client.post(address)
    assert answer.status_code == denied or (denied is None and answer.status_code in (302, 404, 422)), address
    if denied == 302:
        assert answer.url.startswith("/login/")


def test_a_visitor_is_led_to_sign_in_and_back(client: Client, db: None, settings: SimpleNamespace) -> None:
    settings.PUBLIC_READ = False
    assert client.get("/lesions/?type=lung").url == "/login/?next=/lesions/%3Ftype%3Dlung"


@pytest.mark.parametrize("public", [True, False])
def test_help_and_schema_are_for_everybody(public: bool, client: Client, db: None, settings: SimpleNamespace) -> None:
    settings.PUBLIC_READ = public
    assert [client.get(address).status_code for address in ALWAYS] == [200] * len(ALWAYS)


@pytest.mark.parametrize(("role", "code"), list(zip(ROLES, (302, 403, 403, 302, 302), strict=True)))
def test_only_those_who_review_may_post_a_verdict(
    role: str, code: int, client_of: ClientOf, dataset: SimpleNamespace
) -> None:
    answer = client_of(role).post(f"/lesions/{dataset.published.pk}/review/", {"verdict": "keep", "seen": "0"})
    assert answer.status_code == code
    assert dataset.published.reviews.count() == (1 if role in ("curator", "admin") else 0)


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
@pytest.mark.parametrize("role", ["anonymous", "nobody", "admin"])
def test_the_api_changes_nothing_for_anybody(
    method: str, role: str, client_of: ClientOf, fill: Callable[[str], str], settings: SimpleNamespace
) -> None:
    settings.PUBLIC_READ = False
    client = client_of(role)
    client.handler.enforce_csrf_checks = True
    for address in (*API, "/api/v1/", "/api/v1/schema/"):
        answer = getattr(client, method)(fill(address))
        assert answer.status_code == 405, address
        assert answer["Allow"] == "GET, HEAD, OPTIONS", address
        assert answer["Content-Type"] == "application/problem+json", address


def test_lists_hold_only_what_may_be_seen(client_of: ClientOf, dataset: SimpleNamespace) -> None:
    for role, names in (("anonymous", ["first-1.0"]), ("curator", ["next-0.1", "first-1.0"])):
        found = client_of(role).get("/api/v1/releases/").json()["results"]
        assert [release["name"] for release in found] == names
    for what, count in (("lesions", 1), ("patients", 1), ("studies", 1), ("series", 1)):
        assert len(client_of("researcher").get(f"/api/v1/{what}/").json()["results"]) == count
        assert len(client_of("curator").get(f"/api/v1/{what}/").json()["results"]) == 3


def test_a_draft_is_not_named_to_those_who_may_not_know(client_of: ClientOf, dataset: SimpleNamespace) -> None:
    factories.make_release([dataset.published], name="secret-2.0", published=False)
    lesion = f"{dataset.published.pk}/"
    for address in (f"/lesions/{lesion}", f"/api/v1/lesions/{lesion}", "/lesions/", "/", "/releases/", "/statistics/"):
        assert b"secret-2.0" not in client_of("researcher").get(address).content, address
    assert b"secret-2.0" in client_of("curator").get(f"/lesions/{lesion}").content


def test_filtering_by_a_draft_tells_no_more_than_a_name_that_is_not_there(
    client: Client, dataset: SimpleNamespace
) -> None:
    draft, nothing = (client.get(f"/api/v1/lesions/?release={name}") for name in ("next-0.1", "nope"))
    assert draft.status_code == nothing.status_code == 400
    assert draft.json()["detail"] == nothing.json()["detail"].replace("nope", "next-0.1")


def test_the_roles_exist_after_migrating(db: None) -> None:
    assert set(Group.objects.values_list("name", flat=True)) >= {"researcher", "curator", "admin"}


def test_every_address_is_in_one_of_the_tables() -> None:
    listed = {address.split("?")[0] for address in (*PAGES, *API, *ALWAYS, *OTHER)}
    shapes = {_shape(address) for address in listed}
    assert {route for route in _routes(get_resolver().url_patterns) if _shape("/" + route) not in shapes} == set()


def _routes(patterns: list[URLPattern | URLResolver], before: str = "") -> list[str]:
    found = []
    for item in patterns:
        here = before + str(item.pattern)
        found += _routes(item.url_patterns, here) if isinstance(item, URLResolver) else [here]
    return found


def _shape(address: str) -> str:
    """Replace names and numbers by a star, for routes as well as for addresses."""
    address = address.replace("^", "").rstrip("$").replace("\\Z", "").replace("\\.", ".")
    address = re.sub(
        r"\(\?P<\w+>(?:[^()]|\([^)]*\))*\)|<[^>]+>|\{\w+\}|first-1\.0|next-0\.1|(?<=review/)(?:flagged|pairs)|(?<=report\.)(?:json|csv)",
        "*",
        address,
    )
    return re.sub(r"/hospital/", "/*/", address)


def test_a_program_is_told_to_send_a_token_and_gets_no_page_in_place_of_a_file(
    dataset: SimpleNamespace, client: Client
) -> None:
    answer = client.get("/releases/first-1.0/DL_info.csv", headers={"accept": "*/*"})
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
    assert "access token" in answer.json()["detail"]
