"""What verify finds beside slices: checkpoints, models, archives and triggers that are not what they were."""

import hashlib
import os
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from datasets.models import LocationModel
from datasets.services import archive
from deeplesion_site.upkeep import check_database, check_files
from tests import factories, factories_detection
from workers import engine
from workers.engine import lease
from workers.models import Job

pytestmark = pytest.mark.django_db


@pytest.fixture
def data(settings: Settings, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


def test_checkpoints_that_are_not_what_was_trained_are_named(data: Path) -> None:
    kept = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("checkpoint.pt", "best.pt")}
    run = factories_detection.make_run(state="trained", hashes=kept)
    older = factories_detection.make_run(state="trained", checkpoint="runs/0/checkpoint.pt")
    for path in (
        data / run.folder / "checkpoint.pt",
        data / run.folder / "best.pt",
        data / older.folder / "checkpoint.pt",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(path.name)
    assert list(check_files.models()) == []
    (data / run.folder / "best.pt").write_text("other")
    (data / run.folder / "checkpoint.pt").unlink()
    (data / older.folder / "checkpoint.pt").unlink()
    assert sorted(check_files.models()) == sorted(
        (
            f"{run.folder}/checkpoint.pt: the file is missing",
            f"{run.folder}/best.pt: the file is damaged",
            f"{older.folder}/checkpoint.pt: the file is missing",
        )
    )


def test_body_part_models_that_are_damaged_or_gone_are_named(data: Path) -> None:
    for version in ("a" * 64, "b" * 64):
        LocationModel.objects.create(version=version, trained_on="r")
    path = data / "bodypart" / ("a" * 64) / "model.pt"
    path.parent.mkdir(parents=True)
    path.write_text("junk")
    damaged, missing = sorted(check_files.models())
    assert damaged == f"bodypart/{'a' * 64}: model.pt is no body-part regressor, or damaged"
    assert missing == f"bodypart/{'b' * 64}: the file is missing"


def test_an_archive_that_is_not_what_was_packed_is_named(data: Path) -> None:
    release = factories.make_release(name="first-1.0")
    path = archive.path_of(release.name)
    path.parent.mkdir()
    path.write_text("packed")
    path.with_name(f"{path.name}.sha256").write_text(f"{hashlib.sha256(b'packed').hexdigest()}  {path.name}\n")
    assert list(check_files.archives()) == []
    path.write_text("poked!")
    assert list(check_files.archives()) == ["exports/first-1.0.zip: the file is damaged"]


def test_files_of_a_harvest_that_is_at_work_are_no_damage(data: Path) -> None:
    factories.make_collection(slug="hospital")
    old, new = (data / "slices" / "hospital" / "000001_01_01" / name for name in ("001.png", "002.png"))
    old.parent.mkdir(parents=True)
    for path in (old, new):
        path.touch()
    os.utime(old, (0, 0))
    named = [
        f"slices/hospital/000001_01_01/{path.name}: no row of the database knows this file" for path in (old, new)
    ]
    job = factories.make_job()
    Job.objects.update(created=timezone.now() - timedelta(minutes=1))
    assert list(check_files.orphans()) == named, "it has not begun"
    assert lease.claim(job.pk, "a:1")
    assert list(check_files.orphans()) == named[:1]
    said = StringIO()
    with pytest.raises(CommandError, match="1 problems"):
        call_command("verify", stdout=said)
    assert "A harvest or import is at work: what came since 20" in said.getvalue()
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    engine.sweep()
    assert list(check_files.orphans()) == named[:1], "its next attempt makes rows of them"
    engine.cancel(job.pk)
    assert list(check_files.orphans()) == named


def test_triggers_that_hold_nothing_or_something_else_are_named() -> None:
    assert list(check_database.triggers()) == []
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "CREATE OR REPLACE FUNCTION release_update() RETURNS trigger LANGUAGE plpgsql "
                "AS $$ BEGIN RETURN NEW; END $$"
            )
            cursor.execute("ALTER TABLE accounts_auditentry DISABLE TRIGGER audit_delete")
        else:
            cursor.execute("DROP TRIGGER release_update")
            cursor.execute(
                "CREATE TRIGGER release_update BEFORE UPDATE ON datasets_release WHEN 1 = 0 "
                "BEGIN SELECT RAISE(ABORT, 'never'); END"
            )
            cursor.execute("DROP TRIGGER audit_delete")
    assert sorted(check_database.triggers()) == [
        "the trigger audit_delete is missing: run manage.py migrate on a restored backup",
        "the trigger release_update holds something else than it should",
    ]
