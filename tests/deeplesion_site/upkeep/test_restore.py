"""Back up, lose everything, restore, verify: as an administrator does it, with commands."""

import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

from tests.deeplesion_site.upkeep.site import Site, contents, fill, listing, slices
from tests.peers.postgres import Postgres
from tests.peers.s3 import S3

pytestmark = pytest.mark.slow


@pytest.fixture
def database(postgres: Postgres) -> Callable[[str], str]:
    """Make databases on a PostgreSQL server."""

    def make(name: str) -> str:
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return postgres.url.rsplit("/", 1)[0] + f"/{name}"

    return make


def test_what_was_backed_up_comes_back_and_is_verified(filled: SimpleNamespace, tmp_path: Path) -> None:
    comes_back(filled, Site(tmp_path / "second"), tmp_path)


def test_it_comes_back_on_postgresql(database: Callable[[str], str], tmp_path: Path, phantom_hospital: Path) -> None:
    filled = fill(tmp_path, phantom_hospital, database("kept"))
    comes_back(filled, Site(tmp_path / "second", database("restored")), tmp_path)
    sqlite = Site(tmp_path / "third").run("restore", filled.backup)
    assert "the backup is of postgresql, and DATABASE_URL names sqlite" in sqlite.stderr
    address = f"{database('read_only')}?options=-c%20default_transaction_read_only%3Don"
    as_the_address_says = Site(tmp_path / "fourth", address).run("restore", filled.backup)
    assert re.search("^CommandError: pg_restore failed: .* read-only transaction", as_the_address_says.stderr)


def comes_back(filled: SimpleNamespace, other: Site, tmp_path: Path, backup: Path | None = None) -> None:
    said = other.good("restore", backup or filled.backup)
    assert [line for line in said.splitlines() if line.endswith(": good")] == [
        f"{what}: good" for what in (
            "database", "foreign keys", "constraints", "triggers", "slices", "files without a row", "manifests",
            "models and evaluations", "archives",
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
    assert said.count(": good") == 9
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
        for trigger in ("release_update", "slice_frozen", "slice_moved"):
            database.execute(f"DROP TRIGGER {trigger}")
        database.execute("UPDATE datasets_slice SET number = 0 WHERE id = 1")
        database.execute("UPDATE datasets_slice SET series_id = 999 WHERE id = 2")
    said = other.run("verify").stdout
    assert "slice_number_from_1" in said
    assert "its row in datasets_series is missing" in said
    assert "the trigger release_update is missing" in said
    assert "the trigger slice_frozen is missing" in said


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


@pytest.mark.parametrize(
    "name",
    [
        "nothing",
        "other-format",
        "outside",
        "kept-outside",
        "too-large",
        "no-number",
        "endless-line",
        "damaged-database",
    ],
)
def test_what_is_no_backup_is_refused(name: str, filled: SimpleNamespace, tmp_path: Path) -> None:
    folder = tmp_path / name
    if name != "nothing":
        shutil.copytree(filled.backup, folder)
    if name == "other-format":
        about = json.loads((folder / "backup.json").read_text())
        (folder / "backup.json").write_text(json.dumps({**about, "format": 99}))
    entry = {"path": "slices/a/001.png", "bytes": 1, "time": 1, "mode": 0o640, "sha256": "0", "kept": "a"}
    changed = {
        "outside": {"path": "../../stolen"}, "kept-outside": {"kept": "../../secret"}, "too-large": {"bytes": 1 << 60},
        "no-number": {"bytes": "1"},
    }  # fmt: skip
    if name in changed:
        listing(folder).write_text(json.dumps(entry | changed[name]) + "\n")
    if name == "endless-line":
        listing(folder).write_text('{"path": "' + "a" * 1_000_000)
    if name == "damaged-database":
        dump = next(folder.glob("database-*"))
        dump.write_bytes(dump.read_bytes()[:-1] + b"?")
    ended = Site(tmp_path / "second").run("restore", folder)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    if name == "damaged-database":
        assert f"{dump} is damaged" in ended.stderr
    if name == "too-large":
        assert "the backup needs 1152921504.6 GB more, and DATA_DIR has room for" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1


def test_verify_names_folders_of_runs_that_no_row_knows(filled: SimpleNamespace) -> None:
    folder = filled.site.data / "runs" / "1"
    folder.mkdir(parents=True)
    (folder / "checkpoint.pt").write_text("junk")
    try:
        assert "runs/1: no row of the database knows this folder" in filled.site.run("verify").stdout
    finally:
        shutil.rmtree(folder.parent)
