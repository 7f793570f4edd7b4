"""The page on which administrators plan harvests."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.db.models import F
from django.db.models.functions import Now
from django.test import Client
from pytest_django import Settings

from deeplesion_site.accounts import tokens
from deeplesion_site.accounts.models import AuditEntry
from tests import factories
from workers import schedules
from workers.models import HarvestSchedule

pytestmark = pytest.mark.django_db

GIVEN = {"source": "dicomweb+https://pacs.example.org/dicom-web", "collection": "hospital", "every": "24"}


@pytest.fixture
def admin(settings: Settings, tmp_path: Path, client_of: Callable[[str], Client]) -> Client:
    settings.DATA_DIR = tmp_path
    settings.IDENTITY_KEY_FILE = tmp_path / "identity_key"
    return client_of("admin")


def test_a_harvest_is_planned_rests_and_runs_again(admin: Client) -> None:
    assert "No harvest is planned" in admin.get("/jobs/schedules/").content.decode()
    answer = admin.post("/jobs/schedules/", {**GIVEN, "first": "2030-01-31T02:00", "annotations": "SR"}, follow=True)
    content = answer.content.decode()
    for words in ("The harvest is planned.", "https://pacs.example.org", "every day", "31 Jan 2030, 02:00", "not yet"):
        assert words in content
    made = HarvestSchedule.objects.get()
    assert (made.params["annotations"], made.params["since_last"]) == (["SR"], True)
    for on, word in (("0", "rests"), ("1", "runs")):
        for _ in range(2):
            answer = admin.post(f"/jobs/schedules/{made.pk}/", {"on": on}, follow=True)
            assert f"Schedule {made.pk} {word}." in answer.content.decode()
        made.refresh_from_db()
        assert made.enabled == (on == "1")
    said = list(
        AuditEntry.objects.filter(subject=f"schedule {made.pk}").order_by("pk").values_list("action", flat=True)
    )
    assert said == ["job-started", "job-cancelled", "job-started"]
    assert admin.post("/jobs/schedules/999/", {"on": "1"}).status_code == 404


def test_what_came_of_the_last_time_is_told(admin: Client) -> None:
    admin.post("/jobs/schedules/", GIVEN)
    (job,) = schedules.tick()
    content = admin.get("/jobs/schedules/").content.decode()
    assert f"job {job.pk} queued" in content
    assert "was still at it" not in content
    HarvestSchedule.objects.update(next_run=F("next_run") - timedelta(hours=48))
    assert schedules.tick() == []
    assert f"left out: job {job.pk} was still at it" in admin.get("/jobs/schedules/").content.decode()


def test_a_harvest_that_nobody_starts_is_told_wherever_an_administrator_looks(admin: Client) -> None:
    _, secret = tokens.issue(owner=factories.make_user("admin"), name="prometheus", scopes=["watch"], days=30)

    def said() -> list[str]:
        pages = [admin.get(address).content.decode() for address in ("/jobs/schedules/", "/health/")]
        return [*pages, admin.get("/metrics", headers={"Authorization": f"Bearer {secret}"}).content.decode()]

    admin.post("/jobs/schedules/", GIVEN)
    admin.post("/jobs/schedules/", {**GIVEN, "collection": "resting"})
    HarvestSchedule.objects.filter(params__collection="resting").update(enabled=False)
    HarvestSchedule.objects.update(next_run=Now() - timedelta(minutes=4))
    page, health, metrics = said()
    assert "overdue" not in page + health
    assert "deeplesion_schedules_overdue 0.0" in metrics
    HarvestSchedule.objects.update(next_run=Now() - timedelta(minutes=6))
    page, health, metrics = said()
    assert page.count('<span class="badge bad">overdue</span>') == 1
    assert "beat does not run" in page
    assert "Planned harvests are overdue." in health
    assert "should have begun more than five minutes ago" in health
    assert "deeplesion_schedules_overdue 1.0" in metrics


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"source": "dir:///etc"}, "source must be a server"),
        ({"source": ""}, "source is missing."),
        ({"source": "dicomweb+https://u@evil.example/root"}, "names them in DICOMWEB_HOSTS"),
        ({"first": "soon"}, "The first run must be a day and a time"),
        ({"every": "0"}, "1 to 744 hours"),
        ({"first_date": "31.1."}, "first_date must be a day"),
    ],
)
def test_what_makes_no_sense_is_one_sentence_and_keeps_what_was_typed(
    admin: Client, given: dict[str, str], sentence: str
) -> None:
    answer = admin.post("/jobs/schedules/", {**GIVEN, **given, "title": "As typed"})
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert "As typed" in answer.content.decode()
    assert not HarvestSchedule.objects.exists()
