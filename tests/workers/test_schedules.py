"""Harvests that come again, on a real folder: one job for each moment, however often anybody knocks."""

import shutil
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from celery import current_app
from celery.apps.beat import Beat
from celery.beat import Service
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now
from pytest_django import Settings

from datasets.models import Lesion
from datasets.services.harvest.order import Order
from tests import factories
from workers import engine, harvesting, schedules, tasks
from workers.models import HarvestSchedule, Job
from workers.schedules import BadSchedule


@pytest.fixture(autouse=True)
def _own_folder(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DATA_DIR = tmp_path / "data"
    settings.DATA_DIR.mkdir()
    settings.IDENTITY_KEY_FILE = settings.DATA_DIR / "identity_key"
    # The messages stay away; a job's row is its message.
    monkeypatch.setattr(current_app, "send_task", lambda *_, **__: None)


@pytest.fixture
def source(tmp_path: Path, phantom_hospital: Path) -> Path:
    folder = tmp_path / "pacs"
    shutil.copytree(phantom_hospital / "dicom" / "P0001", folder / "P0001")
    return folder


def plan(source: Path, **more: object) -> HarvestSchedule:
    order = Order(source=f"dir://{source}", collection="hospital", since_last=True, context_mm=0.0)
    return schedules.plan(params=harvesting.params_of(order), every_hours=24, **more)


def an_interval_later() -> None:
    HarvestSchedule.objects.update(next_run=F("next_run") - timedelta(hours=24) + timedelta(milliseconds=1))


@pytest.mark.django_db(transaction=True)
def test_what_came_to_the_source_since_is_taken_at_the_next_time(source: Path, phantom_hospital: Path) -> None:
    plan(source)
    (first,) = schedules.tick()
    engine.perform(first.pk)
    before = Lesion.objects.count()
    assert before > 0
    assert schedules.tick() == [], "it is not due again"
    shutil.copytree(phantom_hospital / "dicom" / "P0002", source / "P0002")
    an_interval_later()
    (second,) = schedules.tick()
    engine.perform(second.pk)
    second.refresh_from_db()
    assert second.state == Job.State.SUCCEEDED
    assert second.params["since_last"] is True
    assert Lesion.objects.count() > before
    schedule = HarvestSchedule.objects.get()
    assert (schedule.last_job, schedule.outcome) == (second, f"queued job {second.pk}")
    an_interval_later()
    (third,) = schedules.tick()
    engine.perform(third.pk)
    third.refresh_from_db()
    assert (third.state, third.result["studies_with_bookmarks"]) == (Job.State.SUCCEEDED, 0)


@pytest.mark.django_db
def test_while_one_is_at_it_the_next_is_left_out_and_said_to_be(source: Path) -> None:
    plan(source)
    (first,) = schedules.tick()
    an_interval_later()
    assert schedules.tick() == []
    schedule = HarvestSchedule.objects.get()
    assert schedule.outcome == f"left out: job {first.pk} was still at it"
    assert Job.objects.get() == schedule.last_job == first


@pytest.mark.django_db
def test_the_same_harvest_asked_for_by_somebody_is_not_doubled(source: Path) -> None:
    made = plan(source)
    asked = engine.enqueue(kind="harvest", params=made.params)
    assert schedules.tick() == []
    assert HarvestSchedule.objects.get().outcome == f"left out: job {asked.pk} was still at it"


@pytest.mark.django_db
def test_what_was_missed_comes_once_and_then_at_its_hour(source: Path) -> None:
    made = plan(source)
    HarvestSchedule.objects.update(next_run=F("next_run") - timedelta(hours=24 * 9 + 5))
    (job,) = schedules.tick()
    after = HarvestSchedule.objects.get()
    assert after.next_run - made.next_run == timedelta(hours=19)
    assert Job.objects.get() == job


@pytest.mark.django_db
def test_a_schedule_that_rests_gives_no_job(source: Path) -> None:
    made = plan(source)
    assert schedules.switch(pk=made.pk, on=False)[1]
    assert schedules.tick() == []
    assert not schedules.switch(pk=made.pk, on=False)[1], "it rests already"
    schedules.switch(pk=made.pk, on=True)
    assert len(schedules.tick()) == 1


@pytest.mark.django_db
def test_one_that_no_job_can_be_made_of_says_so_and_holds_up_no_other(source: Path) -> None:
    owner = factories.make_user("admin")
    HarvestSchedule.objects.create(order="b" * 64, params={"nonsense": 1}, every_hours=1, next_run=Now())
    plan(source, owner=owner)
    (job,) = schedules.tick()
    assert job.owner == owner
    bad = HarvestSchedule.objects.get(order="b" * 64)
    assert bad.left_out
    assert "There is no parameter nonsense." in bad.outcome
    assert schedules.tick() == [], "neither is due before its next time"


@pytest.mark.django_db(transaction=True)
def test_knocks_at_one_moment_give_one_job(source: Path) -> None:
    plan(source)
    together, made = threading.Barrier(4), []

    def knock() -> None:
        try:
            together.wait()
            made.extend(schedules.tick())
        finally:
            connection.close()

    threads = [threading.Thread(target=knock) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == Job.objects.count() == 1


@pytest.mark.django_db
def test_the_same_plan_made_again_is_one_with_the_new_interval(source: Path) -> None:
    first = plan(source)
    order = Order(source=f"dir://{source}", collection="hospital", since_last=True, context_mm=0.0)
    again = schedules.plan(params=harvesting.params_of(order), every_hours=6)
    assert (again.pk, again.every_hours) == (first.pk, 6)


@pytest.mark.django_db
def test_the_command_plans_a_folder(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("harvest", f"dir://{source}", every=168, context=0.0)
    assert "harvested every week" in capsys.readouterr().out
    (job,) = schedules.tick()
    assert job.params["since_last"] is True
    with pytest.raises(CommandError, match="1 to 744 hours"):
        call_command("harvest", f"dir://{source}", every=9999)


@pytest.mark.django_db
def test_a_list_of_patients_is_not_kept_for_later(source: Path) -> None:
    order = Order(source=f"dir://{source}", collection="hospital", since_last=True, accession_numbers=("A1",))
    with pytest.raises(BadSchedule, match="harvested once"):
        schedules.plan(params=harvesting.params_of(order), every_hours=24)


def test_beat_knocks_every_minute() -> None:
    (entry,) = current_app.conf.beat_schedule.values()
    assert entry["task"] == tasks.knock.name
    assert entry["task"] in current_app.tasks
    assert entry["options"]["expires"] < entry["schedule"] == 60


def test_beat_needs_no_file_and_minds_none_that_a_former_version_left(tmp_path: Path) -> None:
    # As `dbm.dumb` writes them; what held the entries was left out of a backup.
    (tmp_path / "beat.dir").write_text("'entries', (0, 191)\n'__version__', (512, 15)\n")
    (tmp_path / "beat.bak").touch()
    beat = Beat(app=current_app, schedule=str(tmp_path / "beat"))
    service = Service(app=beat.app, scheduler_cls=beat.scheduler_cls, schedule_filename=beat.schedule)
    assert "harvests" in service.get_scheduler().schedule
    assert {path.name for path in tmp_path.glob("beat*")} == {"beat.dir", "beat.bak"}
