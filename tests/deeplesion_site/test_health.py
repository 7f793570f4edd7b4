"""What machines ask of a running site, and what they hear when a part of it is gone."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from celery import current_app
from django.db import connections
from django.test import Client

from tests.peers.process import free_port


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
