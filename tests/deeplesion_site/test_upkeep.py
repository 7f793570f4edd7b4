"""Back up, lose everything, restore, verify: as an administrator does it, with commands."""

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
from django.conf import settings

from tests.peers.postgres import Postgres
from tests.peers.s3 import S3

HIDDEN = ("DATABASE_URL", "CELERY_BROKER_URL", "SECRET_KEY", "IDENTITY_KEY_FILE")


class Site:
    """An installation of its own."""

    def __init__(self, folder: Path, database: str = "", more: dict[str, str] | None = None) -> None:
        self.data, self.database, self.more = folder, database, more or {}

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        kept = {key: value for key, value in os.environ.items() if key not in HIDDEN}
        own = {"DATA_DIR": str(self.data), **({"DATABASE_URL": self.database} if self.database else {}), **self.more}
        return subprocess.run(
            [sys.executable, "manage.py", *map(str, arguments)],
            cwd=settings.BASE_DIR, env={**kept, **own}, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def good(self, *arguments: str | Path) -> str:
        ended = self.run(*arguments)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout


def fill(folder: Path, phantom_hospital: Path, database: str = "") -> SimpleNamespace:
    """Fill an installation with a harvest and a release, and take a backup of it."""
    site = Site(folder / "first", database)
    part = folder / "hospital"
    shutil.copytree(phantom_hospital / "dicom" / "P0001", part / "P0001")
    shutil.copytree(phantom_hospital / "dicom" / "P0002", part / "P0002")
    site.good("migrate")
    site.good("harvest", f"dir://{part}", "--collection", "hospital")
    site.good("curate")
    site.good("release", "create", "first-1.0", "--collection", "hospital", "--split", "50/0/50")
    site.good("backup", folder / "backup")
    return SimpleNamespace(site=site, backup=folder / "backup")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, phantom_hospital: Path) -> SimpleNamespace:
    return fill(tmp_path_factory.mktemp("upkeep"), phantom_hospital)


@pytest.fixture
def database(postgres: Postgres) -> Callable[[str], str]:
    """Make databases on a PostgreSQL server."""

    def make(name: str) -> str:
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return postgres.url.rsplit("/", 1)[0] + f"/{name}"

    return make


def slices(site: Site) -> list[Path]:
    return sorted((site.data / "slices").rglob("*.png"))


def contents(site: Site) -> dict[str, bytes]:
    return {str(path.relative_to(site.data)): path.read_bytes() for path in slices(site)}


def test_what_was_backed_up_comes_back_and_is_verified(filled: SimpleNamespace, tmp_path: Path) -> None:
    comes_back(filled, Site(tmp_path / "second"), tmp_path)


def test_it_comes_back_on_postgresql(database: Callable[[str], str], tmp_path: Path, phantom_hospital: Path) -> None:
    filled = fill(tmp_path, phantom_hospital, database("kept"))
    comes_back(filled, Site(tmp_path / "second", database("restored")), tmp_path)
    sqlite = Site(tmp_path / "third").run("restore", filled.backup)
    assert "the backup is of postgresql, and DATABASE_URL names sqlite" in sqlite.stderr


def comes_back(filled: SimpleNamespace, other: Site, tmp_path: Path, backup: Path | None = None) -> None:
    said = other.good("restore", backup or filled.backup)
    assert [line for line in said.splitlines() if line.endswith(": good")] == [
        f"{what}: good" for what in (
            "database", "foreign keys", "constraints", "triggers", "slices", "files without a row", "manifests",
        )
    ]  # fmt: skip
    assert contents(other) == contents(filled.site)
    assert other.good("release", "list") == filled.site.good("release", "list")
    exports = [tmp_path / "a", tmp_path / "b"]
    for site, folder in zip((filled.site, other), exports, strict=True):
        site.good("release", "export", "first-1.0", "--out", folder)
    tables = [(folder / "DL_info.csv").read_bytes() for folder in exports]
    assert tables[0] == tables[1]


def test_it_comes_back_into_a_bucket_and_from_there_into_a_folder(
    filled: SimpleNamespace, s3: S3, tmp_path: Path
) -> None:
    site = Site(tmp_path / "second", more=s3.environment("upkeep"))
    said = site.good("restore", filled.backup)
    assert said.count(": good") == 7
    assert slices(site) == [], "no slice lies in the folder"
    assert [key.removeprefix("upkeep/") for key in s3.keys("upkeep")] == sorted(contents(filled.site))
    victim, missing = s3.keys("upkeep")[:2]
    content = {key: s3.client.get_object(Bucket=s3.bucket, Key=key)["Body"].read() for key in (victim, missing)}
    s3.client.put_object(Bucket=s3.bucket, Key=victim, Body=b"other")
    s3.client.delete_object(Bucket=s3.bucket, Key=missing)
    s3.client.put_object(Bucket=s3.bucket, Key="upkeep/slices/hospital/note.txt", Body=b"")
    said = site.run("verify").stdout
    for key, sentence in ((victim, "is damaged"), (missing, "is missing"), ("hospital/note.txt", "no row of the")):
        assert re.search(f"{key.removeprefix('upkeep/slices/')}: .*{sentence}", said)
    s3.client.delete_object(Bucket=s3.bucket, Key="upkeep/slices/hospital/note.txt")
    for key, whole in content.items():
        s3.client.put_object(Bucket=s3.bucket, Key=key, Body=whole)
    site.good("backup", tmp_path / "backup")
    assert "; 0 copied." in site.good("backup", tmp_path / "backup")
    comes_back(filled, Site(tmp_path / "third"), tmp_path, tmp_path / "backup")


def test_a_bucket_that_lets_nobody_in_ends_a_command_in_one_sentence(
    filled: SimpleNamespace, s3: S3, tmp_path: Path
) -> None:
    site = Site(tmp_path / "second", more={**s3.environment("upkeep"), "AWS_SECRET_ACCESS_KEY": "wrong"})
    ended = site.run("restore", filled.backup)
    assert ended.returncode == 1
    assert "does not let us in (" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


def test_a_second_backup_copies_only_what_is_new(filled: SimpleNamespace) -> None:
    filled.site.good("backup", filled.backup)
    assert "; 0 copied." in filled.site.good("backup", filled.backup)
    extra = filled.site.data / "slices" / "note.txt"
    extra.write_text("new")
    try:
        assert "; 1 copied." in filled.site.good("backup", filled.backup)
    finally:
        extra.unlink()
    filled.site.good("backup", filled.backup)


def test_the_keys_are_not_in_the_backup(filled: SimpleNamespace) -> None:
    keys = [(filled.site.data / name).read_text() for name in ("identity_key", "secret_key")]
    for path in filled.backup.rglob("*"):
        if path.is_file():
            assert not any(key.encode() in path.read_bytes() for key in keys), path


@pytest.mark.parametrize("what", ["missing", "damaged", "unknown"])
def test_verify_names_the_file_that_is_wrong(what: str, filled: SimpleNamespace) -> None:
    path = slices(filled.site)[3]
    content, stranger = path.read_bytes(), path.with_name("999.png")
    try:
        if what == "missing":
            path.unlink()
        elif what == "damaged":
            path.write_bytes(content[:-9] + b"123456789")
        else:
            stranger.write_bytes(content)
        ended = filled.site.run("verify")
        assert ended.returncode == 1
        name = (stranger if what == "unknown" else path).relative_to(filled.site.data / "slices")
        sentence = {"missing": "the file is missing", "damaged": "the file is damaged", "unknown": "knows this file"}
        assert f"{name}: " in ended.stdout
        assert sentence[what] in ended.stdout
        assert "Traceback" not in ended.stderr
    finally:
        path.write_bytes(content)
        stranger.unlink(missing_ok=True)


def test_verify_finds_broken_rows_and_missing_triggers(filled: SimpleNamespace, tmp_path: Path) -> None:
    other = Site(tmp_path / "second")
    other.good("restore", filled.backup)
    with sqlite3.connect(other.data / "db.sqlite3") as database:
        database.execute("PRAGMA ignore_check_constraints = 1")
        database.execute("DROP TRIGGER release_update")
        database.execute("UPDATE datasets_slice SET number = 0 WHERE id = 1")
        database.execute("UPDATE datasets_slice SET series_id = 999 WHERE id = 2")
    said = other.run("verify").stdout
    assert "slice_number_from_1" in said
    assert "its row in datasets_series is missing" in said
    assert "the trigger release_update is missing" in said


def test_a_damaged_backup_is_refused_by_the_files_name_and_can_be_run_again(
    filled: SimpleNamespace, tmp_path: Path
) -> None:
    copied = tmp_path / "backup"
    shutil.copytree(filled.backup, copied)
    victim = sorted((copied / "files" / "slices").rglob("*.png"))[2]
    content = victim.read_bytes()
    victim.write_bytes(content[:-4] + b"1234")
    other = Site(tmp_path / "second")
    ended = other.run("restore", copied)
    assert ended.returncode == 1
    assert f"{victim} is damaged" in ended.stderr
    victim.write_bytes(content)
    assert "manifests: good" in other.good("restore", copied)


def test_a_restore_never_overwrites(filled: SimpleNamespace) -> None:
    ended = filled.site.run("restore", filled.backup)
    assert ended.returncode == 1
    assert "not empty" in ended.stderr


@pytest.mark.parametrize("name", ["nothing", "other-format", "outside", "too-large", "endless-line"])
def test_what_is_no_backup_is_refused(name: str, filled: SimpleNamespace, tmp_path: Path) -> None:
    folder = tmp_path / name
    if name != "nothing":
        shutil.copytree(filled.backup, folder)
    if name == "other-format":
        about = json.loads((folder / "backup.json").read_text())
        (folder / "backup.json").write_text(json.dumps({**about, "format": 99}))
    if name == "outside":
        entry = {"path": "../../stolen", "bytes": 1, "time": 1, "sha256": "0"}
        (folder / "files.jsonl").write_text(json.dumps(entry) + "\n")
    if name == "too-large":
        entry = {"path": "slices/a/001.png", "bytes": 1 << 60, "time": 1, "sha256": "0"}
        (folder / "files.jsonl").write_text(json.dumps(entry) + "\n")
    if name == "endless-line":
        (folder / "files.jsonl").write_text('{"path": "' + "a" * 1_000_000)
    ended = Site(tmp_path / "second").run("restore", folder)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    if name == "too-large":
        assert "the backup needs 1152921504.6 GB more, and DATA_DIR has room for" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


def test_a_backup_does_not_go_into_what_it_backs_up(filled: SimpleNamespace) -> None:
    assert "cannot lie in DATA_DIR" in filled.site.run("backup", filled.site.data / "backup").stderr
