"""Lesions in bulk: whoever takes them has signed for a release that they are of, and it is logged."""

import csv
import io
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from deeplesion_site.accounts import agreements, tokens
from deeplesion_site.accounts.models import Action, AuditEntry
from tests import factories
from tests.factories_detection import write_files

PAGE, API = "/lesions.csv", "/api/v1/lesions/?format=csv"
ClientOf = Callable[[str], Client]


def sign(client: Client, *releases: Any) -> None:
    user = User.objects.get(pk=client.session["_auth_user_id"])
    for release in releases:
        agreements.sign(user=user, release=release, full_name="A", institution="B", agrees=True)


def ids(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer
    assert answer["Content-Disposition"] == 'attachment; filename="lesions.csv"'
    return sorted(int(row["id"]) for row in csv.DictReader(io.StringIO(b"".join(answer).decode())))


def logged() -> list[tuple[str, dict[str, str]]]:
    found = AuditEntry.objects.filter(action=Action.DOWNLOADED).order_by("id")
    return [(str(entry.subject), entry.details) for entry in found]


@pytest.mark.parametrize("address", [PAGE, API])
def test_the_list_is_taken_once_the_agreement_is_signed_and_it_is_logged(
    address: str, client_of: ClientOf, dataset: SimpleNamespace
) -> None:
    client = client_of("researcher")
    assert client.get(address).status_code in (302, 403)
    assert logged() == []
    sign(client, dataset.release)
    assert ids(client.get(address)) == [dataset.published.pk]
    assert ids(client.get(f"{address}{'&' if '?' in address else '?'}type=lung")) == [dataset.published.pk]
    first, second = logged()
    assert (first[0], second[0]) == ("lesions.csv", "lesions.csv")
    assert "type=lung" in second[1]["filters"]


def test_a_person_is_led_to_the_agreement_and_back_and_a_program_is_told(
    client_of: ClientOf, dataset: SimpleNamespace
) -> None:
    client = client_of("researcher")
    wanted = f"{PAGE}?type=lung"
    asked = client.get(wanted, follow=True)
    form = {"full_name": "Ada Long", "institution": "Institute", "agrees": "on", "next": asked.context["next"]}
    assert client.post("/releases/first-1.0/agreement/", form).url == wanted
    other = factories.make_user("researcher")
    for scope, words in (("read", "may download"), ("download", "/releases/first-1.0/agreement/")):
        _, secret = tokens.issue(owner=other, name="script", scopes=[scope], days=1)
        answer = Client().get(API, headers={"Authorization": f"Bearer {secret}"})
        assert answer.status_code == 403
        assert words in answer.json()["detail"]


def test_each_line_is_of_a_release_that_was_signed_for(client_of: ClientOf, dataset: SimpleNamespace) -> None:
    later = factories.make_release([dataset.published, dataset.unpublished], name="second-1.0")
    client = client_of("researcher")
    sign(client, dataset.release)
    assert ids(client.get(f"{API}&release=first-1.0")) == [dataset.published.pk]
    assert "/releases/second-1.0/" in client.get(API).json()["detail"]
    sign(client, later)
    assert ids(client.get(API)) == [dataset.published.pk, dataset.unpublished.pk]
    # What is of the later release is signed for, whatever earlier one it was of as well.
    newcomer = client_of("researcher")
    sign(newcomer, later)
    assert len(ids(newcomer.get(API))) == 2


def test_curators_sign_for_drafts_and_for_nothing_that_is_of_no_release(
    client_of: ClientOf, dataset: SimpleNamespace
) -> None:
    client = client_of("curator")
    assert ids(client.get(f"{API}&patient={dataset.unpublished.slice.series.study.patient.number}")) == [
        dataset.unpublished.pk
    ]
    assert client.get(f"{API}&release=next-0.1").status_code == 403
    sign(client, dataset.draft)
    assert ids(client.get(f"{API}&release=next-0.1")) == [dataset.drafted.pk]


def test_the_button_is_there_for_those_who_may_use_it(client_of: ClientOf, dataset: SimpleNamespace) -> None:
    for role, shown in (("anonymous", True), ("nobody", False), ("researcher", True)):
        assert ('href="/lesions.csv"' in client_of(role).get("/lesions/").content.decode()) == shown, role
    for query in ("type=brain", "bogus=1"):
        assert client_of("researcher").get(f"{PAGE}?{query}").status_code == 400
    assert client_of("anonymous").get(f"{PAGE}?type=lung").url == "/login/?next=/lesions.csv%3Ftype%3Dlung"


def test_detections_ask_for_the_same_signature_and_figures_do_not(
    client_of: ClientOf, dataset: SimpleNamespace
) -> None:
    write_files(dataset.evaluation)
    run = f"/runs/{dataset.evaluation.run_id}"
    boxes = f"{run}/{dataset.evaluation.pk}/detections.csv"
    for figures in (f"{run}/metrics.jsonl", f"{run}/{dataset.evaluation.pk}/report.json"):
        assert client_of("anonymous").get(figures).status_code == 200
    client = client_of("researcher")
    asked = client.get(boxes, follow=True)
    form = {"full_name": "Ada Long", "institution": "Institute", "agrees": "on", "next": asked.context["next"]}
    assert client.post("/releases/first-1.0/agreement/", form).url == boxes
    assert client.get(boxes).status_code == 200
    assert "detections.csv" in logged()[-1][0]
