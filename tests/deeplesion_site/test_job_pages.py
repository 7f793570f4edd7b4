"""Jobs on pages: found by filters, told whole, cancelled and retried with an entry in the audit log."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.test import Client
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from deeplesion_site.accounts.models import Action, AuditEntry
from deeplesion_site.dashboard.jobs import pause
from tests import factories, factories_detection
from workers import bodypart, engine
from workers.models import Job
from workers.programs import LOG

ClientOf = Callable[[str], Client]


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return answer.content.decode()


def deeds() -> list[tuple[str, str]]:
    return list(AuditEntry.objects.exclude(action=Action.SIGNED_IN).order_by("id").values_list("action", "subject"))


@pytest.fixture
def admin(client_of: ClientOf) -> Client:
    return client_of("admin")


def test_the_list_is_filtered_by_state_kind_and_owner(admin: Client) -> None:
    ann = factories.make_user("admin", username="ann")
    failed = factories.make_job(kind="manifest", state="failed", owner=ann, params={"release": "r"})
    running = factories.make_job(state="running")
    for query, shown, hidden in (
        ("state=failed", failed, running),
        ("kind=manifest", failed, running),
        ("owner=ANN", failed, running),
        ("state=running&kind=harvest", running, failed),
    ):
        page = text(admin, f"/jobs/?{query}")
        assert f'href="/jobs/{shown.pk}/"' in page, query
        assert f'href="/jobs/{hidden.pk}/"' not in page, query
    assert "No job passes the filters" in text(admin, "/jobs/?owner=nobody")
    assert "Select a valid choice" in text(admin, "/jobs/?state=odd")


def test_the_list_has_pages_and_keeps_the_filters(admin: Client) -> None:
    jobs = [factories.make_job(state="succeeded") for _ in range(51)]
    page = text(admin, "/jobs/?state=succeeded")
    assert "Page 1 of 2" in page
    assert f'href="/jobs/{jobs[0].pk}/"' not in page
    assert 'href="?state=succeeded&amp;page=2"' in page
    assert f'href="/jobs/{jobs[0].pk}/"' in text(admin, "/jobs/?state=succeeded&page=2")


@pytest.mark.parametrize("count", [1, 20])
def test_the_list_takes_the_same_queries_for_any_number_of_jobs(
    admin: Client, count: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(count):
        factories.make_job(state="running", owner=factories.make_user("admin"))
    with django_assert_num_queries(5):  # session, account, roles, count, jobs
        admin.get("/jobs/")


def test_refreshes_come_after_2_then_5_then_15_seconds_and_end_with_the_job(admin: Client) -> None:
    assert [pause(0), pause(14), pause(15), pause(38), pause(39), pause(99_999)] == [2, 2, 5, 5, 15, 15]
    running = factories.make_job(state="running", done=1, total=2)
    page = text(admin, f"/jobs/{running.pk}/?refreshed=14")
    assert f'hx-get="/jobs/{running.pk}/?refreshed=15" hx-trigger="every 2s"' in page
    assert 'hx-trigger="every 15s"' in text(admin, f"/jobs/{running.pk}/?refreshed=400")
    assert 'hx-trigger="every 2s"' in text(admin, f"/jobs/{running.pk}/?refreshed=odd")
    for state in ("succeeded", "failed", "cancelled"):
        job = factories.make_job(state=state)
        assert "hx-trigger" not in text(admin, f"/jobs/{job.pk}/")


def test_a_job_tells_what_it_was_asked_and_its_log_in_order(admin: Client) -> None:
    user = factories.make_user("admin", username="ann")
    job = engine.enqueue(kind="manifest", params={"release": "first-1.0"}, owner=user)
    engine.cancel(job.pk, user)
    page = text(admin, f"/jobs/{job.pk}/")
    assert "<dt>Release</dt><dd>first-1.0</dd>" in page
    assert page.index("asked for by ann") < page.index("<strong>cancelled</strong>")
    assert "None" not in page


def test_what_a_harvest_asked_for_is_in_words_without_its_order(admin: Client) -> None:
    params = {"order": "0" * 64, "source": "files", "since_last": True, "accession_numbers": 0, "annotations": ["SR"]}
    page = text(admin, f"/jobs/{factories.make_job(params=params).pk}/")
    assert "<dt>Only what changed since the last harvest</dt><dd>yes</dd>" in page
    assert "0" * 64 not in page
    assert "Accession numbers" not in page


def test_numbers_of_nought_and_dry_runs_are_told(admin: Client) -> None:
    job = factories.make_job(kind="train", params={"release": "r", "seed": 0, "flip": False})
    page = text(admin, f"/jobs/{job.pk}/")
    assert "<dt>Seed</dt><dd>0</dd>" in page
    assert "Mirror" not in page
    dry = factories.make_job(state="succeeded", params={"dry_run": True}, result={"dry_run": True})
    assert "<dd>yes</dd>" in text(admin, f"/jobs/{dry.pk}/")
    assert text(admin, "/jobs/").count('<span class="badge">dry run</span>') == 1


def test_the_next_attempt_of_a_job_that_waits_is_told(admin: Client) -> None:
    job = factories.make_job(state="running")
    Job.objects.filter(pk=job.pk).update(state="queued", lease_until=None, not_before="2030-01-01T10:20:30Z")
    assert "1 of at most 5; the next at 10:20:30 UTC" in text(admin, f"/jobs/{job.pk}/")


def test_training_shows_its_run_and_the_end_of_its_output(admin: Client) -> None:
    evaluation = factories_detection.make_evaluation()
    factories_detection.write_files(evaluation)
    run = evaluation.run
    asked = {"release": run.release, "preset": run.preset, "seed": run.seed, "fraction": run.fraction, "weights": ""}
    for params, result in ((asked, {}), (asked, {"run": run.pk})):
        job = factories.make_job(kind="train", state="running", params=params, result=result)
        page = text(admin, f"/jobs/{job.pk}/")
        assert f'href="/runs/{run.pk}/"' in page
        assert "End of the program" in page


@pytest.mark.parametrize("state", ["running", "succeeded"])
def test_what_the_programs_of_a_job_say_is_on_its_page(
    state: str, admin: Client, settings: LazySettings, tmp_path: Path
) -> None:
    settings.DATA_DIR = tmp_path
    version = "bpr-2" if state == "succeeded" else ""
    regressor = factories.make_job(kind="bodypart", state=state, params={"release": "r"}, result={"version": version})
    evaluation = factories_detection.make_evaluation()
    asked = {"run": evaluation.run_id, "checkpoint": evaluation.checkpoint, "split": evaluation.split}
    evaluating = factories.make_job(kind="evaluate", state=state, params=asked)
    files = [bodypart.log_of(regressor.pk, version), tmp_path / evaluation.folder / LOG]
    for job, path in zip((regressor, evaluating), files, strict=True):
        assert "End of the program" not in text(admin, f"/jobs/{job.pk}/")
        path.parent.mkdir(parents=True)
        path.write_text("steps 20/700\n")
        assert "steps 20/700" in text(admin, f"/jobs/{job.pk}/")


@pytest.mark.parametrize(
    ("kind", "params", "result", "link"),
    [
        ("manifest", {"release": "first-1.0"}, {}, "/releases/first-1.0/"),
        ("locate", {"collection": "c", "model": "bpr-1"}, {}, "/bodypart/bpr-1/"),
        ("bodypart", {"release": "r"}, {"version": "bpr-2"}, "/bodypart/bpr-2/"),
        ("harvest", {"collection": "hospital"}, {}, "/collections/hospital/report/"),
    ],
)
def test_what_it_produced_is_linked(
    kind: str, params: dict[str, str], result: dict[str, str], link: str, admin: Client
) -> None:
    factories.make_collection(slug="hospital", kind="hospital")
    job = factories.make_job(kind=kind, state="succeeded", params=params, result=result)
    assert f'href="{link}"' in text(admin, f"/jobs/{job.pk}/")


@pytest.mark.parametrize(("before", "after"), [("queued", "cancelled"), ("running", "cancelling")])
def test_cancelling_is_asked_twice_and_logged_once(before: str, after: str, admin: Client) -> None:
    job = factories.make_job(state=before)
    assert "Cancel the job" in text(admin, f"/jobs/{job.pk}/cancel/")
    job.refresh_from_db()
    assert job.state == before
    for _ in range(2):
        assert admin.post(f"/jobs/{job.pk}/cancel/").url == f"/jobs/{job.pk}/"
    job.refresh_from_db()
    assert job.state == after
    assert deeds() == [("job-cancelled", f"job {job.pk}")]


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_retrying_queues_once_more_and_is_logged(
    state: str, admin: Client, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    job = factories.make_job(kind="manifest", state=state, params={"release": "r"})
    assert "Retry the job" in text(admin, f"/jobs/{job.pk}/retry/")
    with django_capture_on_commit_callbacks() as sent:
        admin.post(f"/jobs/{job.pk}/retry/")
    job.refresh_from_db()
    assert (job.state, len(sent)) == ("queued", 1)
    assert deeds() == [("job-retried", f"job {job.pk}")]


def test_what_cannot_be_cancelled_or_retried_is_said_and_not_logged(admin: Client) -> None:
    job = factories.make_job(state="succeeded")
    for action, words in (("cancel", "is finished: it has succeeded"), ("retry", "neither failed nor been cancelled")):
        assert f"Nothing to {action}" in text(admin, f"/jobs/{job.pk}/{action}/")
        admin.post(f"/jobs/{job.pk}/{action}/")
        assert words in text(admin, f"/jobs/{job.pk}/")
    assert deeds() == []


def test_nothing_is_cancelled_without_the_entry_in_the_log(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    job = factories.make_job(state="queued")

    def full(*args: object, **details: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr("deeplesion_site.accounts.audit.record", full)
    with pytest.raises(OSError, match="full"):
        admin.post(f"/jobs/{job.pk}/cancel/")
    job.refresh_from_db()
    assert job.state == "queued"


@pytest.mark.parametrize("role", ["anonymous", "researcher", "curator"])
def test_only_administrators_cancel_and_retry(role: str, client_of: ClientOf) -> None:
    job = factories.make_job(state="queued")
    for action in ("cancel", "retry"):
        assert client_of(role).post(f"/jobs/{job.pk}/{action}/").status_code == 404
    job.refresh_from_db()
    assert job.state == "queued"


def test_no_other_site_can_cancel(client_of: ClientOf) -> None:
    client = client_of("admin")
    client.handler.enforce_csrf_checks = True
    job = factories.make_job(state="queued")
    assert client.post(f"/jobs/{job.pk}/cancel/").status_code == 403


def test_what_a_job_reports_by_name_is_told_as_facts(admin: Client) -> None:
    found = {"dry_run": False, "studies": 1200, "reasons": {"non_axial": 3}, "curated": {"merged": 6}}
    report = {**found, "noted_studies": {"MissingSlices": [4, 7]}}
    page = admin.get(
        f"/jobs/{factories.make_job(kind='harvest', state='succeeded', result=report).pk}/"
    ).content.decode()
    for fact in ("dry run</dt><dd>no</dd>", "studies</dt><dd>1,200</dd>", "merged</dt><dd>6</dd>"):
        assert fact in page
    assert "non axial" not in page, "the report of the harvest has it"
    other = {"damaged": ["a", "b"], "checked": {"places": [4, 7]}}
    page = admin.get(
        f"/jobs/{factories.make_job(kind='release', state='succeeded', result=other).pk}/"
    ).content.decode()
    assert "places</dt><dd>4, 7</dd>" in page
    assert '<h2 id="t-1">Damaged</h2>' in page
