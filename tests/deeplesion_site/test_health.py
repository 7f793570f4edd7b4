"""What machines ask of a running site, and what they hear when a part of it is gone."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from celery import current_app
from django.db import connections
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone

from deeplesion_site.accounts import tokens
from tests import factories
from tests.peers.process import free_port
from workers.models import Job, Worker


def test_a_whole_site_is_live_and_ready(client: Client, db: None) -> None:
    assert client.get("/health/live").content == b"live\n"
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"database": True, "broker": True, "storage": True})
    assert "no-store" in answer["Cache-Control"]


def test_with_redis_gone_it_is_live_and_not_ready(
    client: Client, db: None, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(current_app.conf, "broker_write_url", redis_url)
    assert client.get("/health/ready").status_code == 200
    monkeypatch.setattr(current_app.conf, "broker_write_url", f"redis://127.0.0.1:{free_port()}/0")
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()["broker"], answer.json()["database"]) == (503, False, True)
    assert client.get("/health/live").status_code == 200


def test_a_folder_that_cannot_be_written_is_not_ready(
    client: Client, db: None, settings: SimpleNamespace, tmp_path: Path
) -> None:
    settings.DATA_DIR = tmp_path / "gone"
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()["storage"]) == (503, False)


@pytest.mark.django_db(transaction=True)
def test_a_database_that_went_away_is_not_ready(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise connections["default"].Database.OperationalError("gone")

    monkeypatch.setattr(connections["default"], "cursor", refuse)
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()["database"]) == (503, False)
    assert client.get("/health/live").status_code == 200


def job(state: str = "queued", **values: object) -> Job:
    made = Job.objects.create(kind="harvest", title="harvest", **values)
    if state != "queued":
        Job.objects.filter(pk=made.pk).update(state=state, attempt=1, started=Now(), lease_until=Now())
    return made


@pytest.fixture
def work(db: None) -> None:
    """Two jobs wait, one runs, and a worker of the cpu queue lives beside one that was lost."""
    job(queue="cpu", fingerprint="a")
    job(queue="gpu", fingerprint="b")
    job(queue="cpu", fingerprint="c", attempts_allowed=3, state="running")
    Worker.objects.create(name="here:1", queues=["cpu", "io"], processes=2)
    lost = Worker.objects.create(name="gone:2", queues=["gpu"])
    Worker.objects.filter(pk=lost.pk).update(seen=timezone.now() - timedelta(hours=1))


def test_the_health_page_tells_what_waits_for_nobody(client_of: Callable[[str], Client], work: None) -> None:
    content = client_of("admin").get("/health/").content.decode()
    assert "Jobs wait, and no worker comes for them: gpu." in content
    assert content.count("nobody comes for it") == 1
    assert "here:1" in content
    assert "gone:2" not in content


def test_the_health_page_counts_the_disk_as_df_does(
    client_of: Callable[[str], Client],
    db: None,
    settings: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gb = 1 << 30
    # The system keeps 147 GB for itself.
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(total=252 * gb, used=65 * gb, free=40 * gb))
    assert "40.0 GB free, 65.0 GB used (62 %)" in client_of("admin").get("/health/").content.decode().replace(
        "\xa0", " "
    )
    monkeypatch.undo()
    settings.DATA_DIR = tmp_path / "gone"
    assert "DATA_DIR cannot be written to" in client_of("admin").get("/health/").content.decode()


def test_the_health_page_says_that_all_is_well_where_it_is(client_of: Callable[[str], Client], db: None) -> None:
    assert "Everything that the site stands on works." in client_of("admin").get("/health/").content.decode()


def test_prometheus_reads_jobs_queues_and_parts(client: Client, work: None) -> None:
    _, secret = tokens.issue(owner=factories.make_user("admin"), name="prometheus", scopes=["watch"], days=30)
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {secret}"})
    lines = answer.content.decode().splitlines()
    assert answer["Content-Type"].startswith("text/plain")
    for line in (
        'deeplesion_jobs{kind="harvest",state="queued"} 2.0',
        'deeplesion_jobs{kind="harvest",state="running"} 1.0',
        'deeplesion_queue_waiting{queue="gpu"} 1.0',
        'deeplesion_workers{queue="cpu"} 1.0',
        'deeplesion_workers{queue="gpu"} 0.0',
        'deeplesion_up{part="broker"} 1.0',
    ):
        assert line in lines
