"""The key of the pseudonyms: with it a hospital is known again after its database was lost, without it it is not."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from pytest_django import Settings

from datasets.models import IdentityKey, Patient, Series, SourceIdentity
from datasets.pacs.deidentify import KeyUnusable
from datasets.services.harvest.order import Order
from tests.datasets.pacs.dicom_files import bidimensional, ct, report, save
from workers import engine, harvesting

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def key(tmp_path: Path, settings: Settings) -> Path:
    settings.DATA_DIR = tmp_path / "data"
    settings.DATA_DIR.mkdir()
    settings.IDENTITY_KEY_FILE = settings.DATA_DIR / "identity_key"
    return Path(settings.IDENTITY_KEY_FILE)


def add_patient(folder: Path, number: int) -> None:
    """One study with one mark on its only slice."""
    study = f"1.2.7.{number}"
    common = {"StudyInstanceUID": study, "PatientID": f"ID-{number}", "StudyDate": f"201504{number + 10}"}
    image = ct(SOPInstanceUID=f"{study}.1.5", SeriesInstanceUID=f"{study}.1", **common)
    save(image, folder / f"image-{number}")
    save(report(bidimensional(f"{study}.1.5"), SOPInstanceUID=f"{study}.9", **common), folder / f"report-{number}")


def harvest(folder: Path) -> None:
    call_command("harvest", f"dir://{folder}", verbosity=0)


def numbers() -> dict[str, str]:
    """What each identity of the source is called here."""
    return {
        row.digest: str(row.patient or row.study or row.series)
        for row in SourceIdentity.objects.select_related("patient", "study__patient", "series__study__patient")
    }


def files(data: Path) -> dict[str, bytes]:
    return {path.relative_to(data).as_posix(): path.read_bytes() for path in data.rglob("*.png")}


def test_the_key_is_made_on_first_use_for_the_owner_alone_and_a_dry_run_makes_none(tmp_path: Path, key: Path) -> None:
    add_patient(tmp_path / "pacs", 1)
    call_command("harvest", f"dir://{tmp_path / 'pacs'}", dry_run=True)
    assert not key.exists()
    harvest(tmp_path / "pacs")
    made = key.read_text()
    assert key.stat().st_mode & 0o777 == 0o600
    harvest(tmp_path / "pacs")
    assert key.read_text() == made


def test_a_restored_database_and_the_same_key_give_the_same_indices(tmp_path: Path, key: Path) -> None:
    folder = tmp_path / "pacs"
    for number in (1, 2):
        add_patient(folder, number)
    harvest(folder)
    backed_up = numbers()
    backup = transaction.savepoint()
    add_patient(folder, 3)
    harvest(folder)
    before, written = numbers(), files(key.parent)
    assert len(before) == 9
    transaction.savepoint_rollback(backup)
    assert numbers() == backed_up, "the database is as it was backed up"
    harvest(folder)
    assert numbers() == before
    assert files(key.parent) == written


def test_an_empty_database_and_the_same_key_give_the_same_indices(tmp_path: Path, key: Path) -> None:
    folder = tmp_path / "pacs"
    for number in (1, 2, 3):
        add_patient(folder, number)
    empty = transaction.savepoint()
    harvest(folder)
    before, written = numbers(), files(key.parent)
    transaction.savepoint_rollback(empty)
    assert not Patient.objects.exists()
    harvest(folder)
    assert numbers() == before
    assert files(key.parent) == written


@pytest.mark.parametrize("dry_run", [True, False])
def test_without_its_key_a_database_that_knows_patients_takes_no_harvest(
    tmp_path: Path, key: Path, dry_run: bool
) -> None:
    add_patient(tmp_path / "pacs", 1)
    harvest(tmp_path / "pacs")
    moved = key.rename(tmp_path / "moved")
    with pytest.raises(CommandError, match=rf"^the key file {key} is not there, .* IDENTITY_KEY_FILE name it$"):
        call_command("harvest", f"dir://{tmp_path / 'pacs'}", dry_run=dry_run)
    assert not key.exists(), "no other one is made"
    moved.rename(key)
    harvest(tmp_path / "pacs")
    assert (Patient.objects.count(), Series.objects.count()) == (1, 1)


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_database_that_knows_patients_takes_no_harvest_under_another_key(
    tmp_path: Path, key: Path, dry_run: bool
) -> None:
    add_patient(tmp_path / "pacs", 1)
    harvest(tmp_path / "pacs")
    right = key.read_text()
    key.write_text("0" * 64)
    with pytest.raises(CommandError, match=rf"^the key file {key} holds another key .* IDENTITY_KEY_FILE name it$"):
        call_command("harvest", f"dir://{tmp_path / 'pacs'}", dry_run=dry_run)
    assert Patient.objects.count() == 1
    assert right.strip() not in str([*IdentityKey.objects.values()])


def test_the_worker_s_key_is_looked_at_not_only_that_of_who_asks(tmp_path: Path, key: Path) -> None:
    add_patient(tmp_path / "pacs", 1)
    harvest(tmp_path / "pacs")
    params = harvesting.params_of(Order(f"dir://{tmp_path / 'pacs'}", "hospital"))
    key.write_text("0" * 64)
    with pytest.raises(KeyUnusable, match="holds another key"):
        engine.wait_for(engine.enqueue(kind="harvest", params=params))
    assert Patient.objects.count() == 1


def test_a_database_without_patients_takes_a_new_key(tmp_path: Path, key: Path) -> None:
    (tmp_path / "empty").mkdir()
    harvest(tmp_path / "empty")
    key.unlink()
    add_patient(tmp_path / "pacs", 1)
    harvest(tmp_path / "pacs")
    harvest(tmp_path / "pacs")
    assert Patient.objects.count() == 1


def test_a_database_of_an_earlier_version_takes_its_key_as_it_is(tmp_path: Path, key: Path) -> None:
    add_patient(tmp_path / "pacs", 1)
    harvest(tmp_path / "pacs")
    IdentityKey.objects.all().delete()
    harvest(tmp_path / "pacs")
    assert IdentityKey.objects.count() == Patient.objects.count() == 1


def test_a_key_that_others_can_read_is_refused_before_anything_is_written(tmp_path: Path, key: Path) -> None:
    add_patient(tmp_path / "pacs", 1)
    key.write_text("0" * 64)
    key.chmod(0o644)
    with pytest.raises(CommandError, match=rf"the key file {key} can be read by others; its rights must be 0600"):
        harvest(tmp_path / "pacs")
    assert not Patient.objects.exists()


def test_the_readme_names_the_key_as_what_to_back_up() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    assert "**Back up `identity_key` in `DATA_DIR` (`var` where you set none) apart from the database.**" in readme
