"""What verify finds beside slices: checkpoints, models, archives and triggers that are not what they were."""

import hashlib
import os
import shutil
from collections.abc import Sequence
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
from workers import bodypart, engine, evaluating, training
from workers.engine import lease
from workers.models import Job

pytestmark = pytest.mark.django_db


@pytest.fixture
def data(settings: Settings, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


def leave(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """Files that each hold their name, and their hashes."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text(name)
    return {name: hashlib.sha256(name.encode()).hexdigest() for name in names}


def test_what_trainings_and_evaluations_left_is_hashed_again(data: Path) -> None:
    run = factories_detection.make_run(state="trained")
    evaluation = factories_detection.make_evaluation(run=run, targets=False)
    model = LocationModel.objects.create(version="a" * 64, trained_on="r")
    made = {run.folder: training.KEPT, evaluation.folder: evaluating.KEPT, f"bodypart/{'a' * 64}": bodypart.KEPT}
    for row, (folder, names) in zip((run, evaluation, model), made.items(), strict=True):
        row.hashes = leave(data / folder, names)
        row.save()
    assert list(check_files.results()) == []
    expected = []
    for folder, names in made.items():
        gone, damaged, *_ = names
        (data / folder / gone).unlink()
        (data / folder / damaged).write_text("other")
        expected += [f"{folder}/{gone}: the file is missing", f"{folder}/{damaged}: the file is damaged"]
    assert sorted(check_files.results()) == sorted(expected)
    assert not any(isinstance(each, check_files.NotChecked) for each in check_files.results())


def test_what_was_made_before_hashes_were_kept_is_neither_good_nor_damaged(data: Path) -> None:
    kept = leave(data / "runs" / "x", ("checkpoint.pt",))
    run = factories_detection.make_run(state="trained", hashes=kept)
    evaluation = factories_detection.make_evaluation(run=run, targets=False)
    leave(data / run.folder, [name for name in training.KEPT if name != training.BEST])
    leave(data / evaluation.folder, evaluating.KEPT)
    (data / evaluation.folder / "report.json").unlink()
    shutil.rmtree(data / "runs" / "x")
    said = StringIO()
    with pytest.raises(CommandError, match="1 problems"):
        call_command("verify", stdout=said)
    assert (
        "models and evaluations: 1 problems, 5 files not checked\n"
        f"  {evaluation.folder}/report.json: the file is missing\n"
        f"  {run.folder}/run.json: not checked, made before hashes were kept\n"
    ) in said.getvalue()


def test_body_part_models_of_before_are_held_against_their_versions(data: Path) -> None:
    for version in ("a" * 64, "b" * 64):
        LocationModel.objects.create(version=version, trained_on="r")
    leave(data / "bodypart" / ("a" * 64), bodypart.KEPT)
    leave(data / "bodypart" / ("b" * 64), bodypart.KEPT[1:])
    wrong = [each for each in check_files.results() if not isinstance(each, check_files.NotChecked)]
    assert sorted(wrong) == [
        f"bodypart/{'a' * 64}: model.pt is no body-part regressor, or damaged",
        f"bodypart/{'b' * 64}/model.pt: the file is missing",
    ]


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


WITHOUT = {
    "sqlite": (
        "DROP INDEX job_unfinished_once",
        "DROP INDEX run_by_release",
        "DROP TABLE workers_worker",
        "CREATE TABLE workers_worker (id integer PRIMARY KEY, name varchar(128), queues text NOT NULL,"
        " processes integer NOT NULL, gpus text, free_bytes bigint, started datetime, seen datetime)",
        "DROP TABLE workers_jobkey",
        "CREATE TABLE workers_jobkey (id integer PRIMARY KEY, key varchar(128) NOT NULL, owner_id integer,"
        " job_id bigint NOT NULL)",
    ),
    "postgresql": (
        "DROP INDEX job_unfinished_once",
        "DROP INDEX run_by_release",
        "ALTER TABLE workers_worker ALTER COLUMN name DROP NOT NULL",
        "ALTER TABLE workers_worker DROP CONSTRAINT workers_worker_name_key",
        "ALTER TABLE workers_worker DROP CONSTRAINT workers_worker_processes_check",
        "ALTER TABLE workers_jobkey DROP CONSTRAINT job_key_once",
        "ALTER TABLE detection_trainingrun DROP CONSTRAINT run_trained_is_whole",
    ),
}


def test_constraints_that_the_database_lost_and_rows_that_they_would_have_refused_are_named() -> None:
    assert list(check_database.constraints()) == []
    with connection.cursor() as cursor:
        for statement in WITHOUT[connection.vendor]:
            cursor.execute(statement)
        if connection.vendor == "postgresql":
            held = connection.introspection.get_constraints(cursor, "workers_jobkey")
            for name, each in held.items():
                if each["foreign_key"]:
                    cursor.execute(f"ALTER TABLE workers_jobkey DROP CONSTRAINT {name}")
                elif each["index"] and each["columns"] == ["job_id"]:
                    cursor.execute(f"DROP INDEX {name}")
        for _ in range(2):
            cursor.execute(
                "INSERT INTO workers_worker (name, queues, processes, started, seen) "
                "VALUES ('a:1', '[]', 1, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP)"
            )
    found = set(check_database.constraints())
    assert found >= {
        "workers_job: the constraint job_unfinished_once is missing",
        "detection_trainingrun: the index run_by_release is missing",
        "workers_worker: the column name may be empty, and must not",
        "workers_worker: nothing holds name to be unique",
        "workers_worker: nothing checks processes",
        "workers_worker: 1 values of name stand in more rows than one",
        "workers_jobkey: the constraint job_key_once is missing",
        "workers_jobkey: the foreign key job_id to workers_job is missing",
        "workers_jobkey: the foreign key owner_id to auth_user is missing",
        "workers_jobkey: the index on job_id is missing",
    }
    if connection.vendor == "postgresql":
        assert "detection_trainingrun: the constraint run_trained_is_whole is missing" in found
        assert len(found) == 11
