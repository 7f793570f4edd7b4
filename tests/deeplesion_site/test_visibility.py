"""What is published, and what is not, on the pages and in the API; test_access.py has the matrix of routes."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from tests import factories
from tests.deeplesion_site.test_access import ALWAYS, ROLES

ClientOf = Callable[[str], Client]


def test_a_visitor_is_led_to_sign_in_and_back(client: Client, db: None, settings: SimpleNamespace) -> None:
    settings.PUBLIC_READ = False
    assert client.get("/lesions/?type=lung").url == "/login/?next=/lesions/%3Ftype%3Dlung"


@pytest.mark.parametrize("public", [True, False])
def test_help_and_schema_are_for_everybody(public: bool, client: Client, db: None, settings: SimpleNamespace) -> None:
    settings.PUBLIC_READ = public
    assert [client.get(address).status_code for address in ALWAYS] == [200] * len(ALWAYS)


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


def test_a_program_is_told_to_send_a_token_and_gets_no_page_in_place_of_a_file(
    dataset: SimpleNamespace, client: Client
) -> None:
    answer = client.get("/releases/first-1.0/DL_info.csv", headers={"accept": "*/*"})
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
    assert "access token" in answer.json()["detail"]


@pytest.mark.parametrize(("role", "code"), list(zip(ROLES, (302, 403, 403, 302, 302), strict=True)))
def test_only_those_who_review_may_post_a_verdict(
    role: str, code: int, client_of: ClientOf, dataset: SimpleNamespace
) -> None:
    answer = client_of(role).post(f"/lesions/{dataset.published.pk}/review/", {"verdict": "keep", "seen": "0"})
    assert answer.status_code == code
    assert dataset.published.reviews.count() == (1 if role in ("curator", "admin") else 0)
