"""Jobs over REST: started once for a key, refused with a sentence for each mistake, cancelled, retried, all logged."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from deeplesion_site.accounts import tokens
from deeplesion_site.accounts.models import Action, AuditEntry
from tests import factories
from tests.deeplesion_site.test_api_schema import answer_schema, faults
from workers.models import Job

ClientOf = Callable[[str], Client]
ASK = {"kind": "manifest", "params": {"release": "first-1.0"}}


def post(client: Client, address: str, body: Any = None, **headers: str) -> Any:
    return client.post(f"/api/v1/jobs/{address}", body or {}, content_type="application/json", headers=headers)


def deeds() -> list[tuple[str, str]]:
    entries = AuditEntry.objects.filter(action__in=(Action.JOB_STARTED, Action.JOB_CANCELLED, Action.JOB_RETRIED))
    return list(entries.order_by("id").values_list("action", "subject"))


@pytest.fixture
def admin(client_of: ClientOf) -> Client:
    return client_of("admin")


def test_a_job_is_started_watched_cancelled_and_retried(admin: Client) -> None:
    made = post(admin, "", ASK)
    assert made.status_code == 201
    number = made.json()["id"]
    assert made["Location"] == f"http://testserver/api/v1/jobs/{number}/"
    assert made.json()["params"] == {"release": "first-1.0"}
    assert admin.get(f"/api/v1/jobs/{number}/").json() == made.json()
    assert post(admin, f"{number}/retry/").status_code == 409
    assert post(admin, f"{number}/cancel/").json()["state"] == "cancelled"
    assert post(admin, f"{number}/cancel/").status_code == 409
    assert post(admin, f"{number}/retry/").json()["state"] == "queued"
    events = admin.get(f"/api/v1/jobs/{number}/events/").json()["results"]
    assert [event["kind"] for event in events] == ["queued", "cancelled", "queued"]
    subject = f"job {number}"
    assert deeds() == [("job-started", subject), ("job-cancelled", subject), ("job-retried", subject)]


def test_a_key_gives_one_job_and_cannot_be_used_for_another(admin: Client) -> None:
    first = post(admin, "", ASK, idempotency_key="k1")
    post(admin, f"{first.json()['id']}/cancel/")
    again = post(admin, "", ASK, idempotency_key="k1")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["id"] == first.json()["id"]
    other = post(admin, "", {"kind": "manifest", "params": {"release": "next-0.1"}}, idempotency_key="k1")
    assert other.status_code == 409
    assert "asked to do something else" in other.json()["detail"]
    assert Job.objects.count() == 1
    assert deeds().count(("job-started", f"job {first.json()['id']}")) == 1
    assert post(admin, "", ASK, idempotency_key="k" * 129).status_code == 400


def test_an_equal_unfinished_job_is_given_instead_of_a_second(admin: Client) -> None:
    assert [post(admin, "", ASK).status_code for _ in range(2)] == [201, 200]
    assert len(deeds()) == 1


def test_a_number_beyond_all_others_is_answered_by_its_name(admin: Client) -> None:
    body = '{"kind": "train", "params": {"release": "r", "learning_rate": 1e400}}'
    answer = admin.post("/api/v1/jobs/", body, content_type="application/json")
    assert (answer.status_code, answer.json()["errors"]) == (
        400,
        [{"parameter": "params.learning_rate", "reason": "learning_rate must be a finite number."}],
    )


@pytest.mark.parametrize(
    ("body", "parameter", "reason"),
    [
        ({"kind": "brew"}, "kind", "no kind of job called brew"),
        ({}, "kind", "required"),
        ({"kind": "manifest"}, "params.release", "release is missing."),
        ({"kind": "manifest", "params": {"release": 3}}, "params.release", "release must be a text."),
        ({"kind": "manifest", "params": {"release": "r", "odd": 1}}, "params.odd", "There is no parameter odd."),
        ({"kind": "manifest", "params": []}, "params", "dictionary"),
        ({"kind": "evaluate", "params": {"run": 1, "iou": 2}}, "params.iou", "at most 1"),
    ],
)
def test_a_mistake_is_answered_by_its_name(body: Any, parameter: str, reason: str, admin: Client) -> None:
    answer = post(admin, "", body)
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    (error,) = answer.json()["errors"]
    assert error["parameter"] == parameter
    assert reason in error["reason"]
    assert not Job.objects.exists()


def test_the_list_is_filtered_and_refuses_what_it_does_not_know(admin: Client) -> None:
    ann = factories.make_user("admin", username="ann")
    failed = factories.make_job(kind="manifest", state="failed", owner=ann)
    running = factories.make_job(state="running")
    for query, wanted in (("state=failed", failed), ("kind=harvest", running), ("owner=ann", failed)):
        assert [row["id"] for row in admin.get(f"/api/v1/jobs/?{query}").json()["results"]] == [wanted.pk], query
    for query in ("state=odd", "colour=red"):
        assert admin.get(f"/api/v1/jobs/?{query}").status_code == 400


@pytest.mark.parametrize("count", [1, 12])
def test_the_list_takes_the_same_queries_for_any_number_of_jobs(
    admin: Client, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(count):
        factories.make_job(owner=factories.make_user("admin"))
    with django_assert_num_queries(4):  # session, account, roles, jobs
        assert len(admin.get("/api/v1/jobs/").json()["results"]) == count


@pytest.mark.parametrize(
    ("role", "code"),
    [("anonymous", 401), ("nobody", 403), ("researcher", 403), ("curator", 403), ("admin", 200)],
)
def test_jobs_are_for_administrators(role: str, code: int, client_of: ClientOf) -> None:
    job = factories.make_job(state="failed", kind="manifest", params={"release": "r"})
    client = client_of(role)
    for address in ("", f"{job.pk}/", f"{job.pk}/events/"):
        assert client.get(f"/api/v1/jobs/{address}").status_code == code, address
    for address, allowed in (("", 201), (f"{job.pk}/retry/", 200), (f"{job.pk}/cancel/", 200)):
        assert post(client, address, ASK).status_code == (allowed if code == 200 else code), address
    if code != 200:
        assert Job.objects.get().state == "failed"


def test_a_token_needs_the_scope_of_jobs(client: Client, db: None) -> None:
    owner = factories.make_user("admin")
    for scope, code in (("read", 403), ("jobs", 201)):
        _, secret = tokens.issue(owner=owner, name=scope, scopes=[scope], days=1)
        assert post(client, "", ASK, authorization=f"Bearer {secret}").status_code == code


def test_no_other_site_can_start_a_job(client_of: ClientOf) -> None:
    client = client_of("admin")
    client.handler.enforce_csrf_checks = True
    assert post(client, "", ASK).status_code == 403


def test_jobs_that_are_not_there(admin: Client) -> None:
    for address in ("999999/", "999999/events/", "odd/"):
        assert admin.get(f"/api/v1/jobs/{address}").status_code == 404
    assert post(admin, "999999/cancel/").status_code == 404


def test_what_is_answered_is_what_the_schema_says(admin: Client) -> None:
    schema = yaml.safe_load(admin.get("/api/v1/schema/").content)
    number = post(admin, "", ASK).json()["id"]
    factories.make_job(state="succeeded", result={"files": 3})
    for address, path in (
        ("", "/api/v1/jobs/"),
        (f"{number}/", "/api/v1/jobs/{id}/"),
        (f"{number}/events/", "/api/v1/jobs/{id}/events/"),
    ):
        found = admin.get(f"/api/v1/jobs/{address}").json()
        assert faults(found, answer_schema(schema, path, 200)) == [], path
    assert {"200", "201", "400", "401", "403", "409"} <= set(schema["paths"]["/api/v1/jobs/"]["post"]["responses"])
    assert "Idempotency-Key" in str(schema["paths"]["/api/v1/jobs/"]["post"]["parameters"])
