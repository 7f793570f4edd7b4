"""Import, curation and export from pages and the API: what they cost, what they refuse, where they lead."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client

from datasets.models import Lesion, Release
from tests import factories
from tests.datasets import tables
from workers import engine
from workers.models import Job

ClientOf = Callable[[str], Client]


@pytest.fixture
def admin(client_of: ClientOf) -> Client:
    return client_of("admin")


@pytest.fixture
def downloads(tmp_path: Path, settings: LazySettings) -> Path:
    """The folder that is set aside, with one download, one folder that is none, and a secret beside it."""
    folder = tmp_path / "downloads"
    for name in ("deeplesion", "notes"):
        (folder / name).mkdir(parents=True)
    rows = [tables.row(number, split=number) for number in (1, 2, 3)]
    tables.write(folder / "deeplesion" / "DL_info.csv", rows)
    for row in rows:
        tables.draw(folder / "deeplesion" / "Images_png", row.folder, 10, seed=row.patient)
    (tmp_path / "secret").mkdir()
    tables.write(tmp_path / "secret" / "DL_info.csv", rows)
    settings.IMPORT_DIR = folder
    return folder


def post(admin: Client, params: dict[str, Any]) -> Any:
    return admin.post(
        "/api/v1/jobs/", json.dumps({"kind": "import", "params": params}), content_type="application/json"
    )


def test_a_download_is_imported_by_its_name(admin: Client, downloads: Path) -> None:
    form = admin.get("/jobs/new/import/").content.decode()
    assert '<option value="deeplesion">' in form
    assert "notes" not in form
    wish = {"download": "deeplesion", "collection": "deeplesion", "release": "deeplesion"}
    check = admin.post("/jobs/new/import/", wish).content.decode()
    for words in ("<dt>Rows</dt><dd>3</dd>", "at most 3; 3 series", "the images stay where they are", "Disk free"):
        assert words in check, words
    assert not Job.objects.exists()
    address = admin.post("/jobs/new/import/", {**wish, "start": "1", "key": "k"}).url
    job = Job.objects.get()
    assert address == f"/jobs/{job.pk}/"
    engine.perform(job.pk)
    assert Lesion.objects.exclude(mean_hu=None).count() == 3
    engine.perform(Job.objects.get(kind="release").pk)
    page = admin.get(address).content.decode()
    assert "/lesions/?collection=deeplesion" in page
    assert "/releases/deeplesion/" in page


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"download": "../secret"}, "must be a folder below IMPORT_DIR"),
        ({"download": "/etc"}, "must be a folder below IMPORT_DIR"),
        ({"download": "notes"}, "must be a folder below IMPORT_DIR"),
        ({"download": ""}, "must be a folder below IMPORT_DIR"),
        ({"table": "/etc/passwd", "images": "/etc"}, "There is no parameter table."),
        ({"download": "deeplesion", "collection": "two words"}, "collection cannot be taken"),
        ({"download": "deeplesion", "collection": "ward"}, "is a hospital's"),
        ({"download": "deeplesion", "release": "a/b"}, "release cannot be taken"),
    ],
)
def test_no_path_and_no_nonsense_is_taken(
    params: dict[str, Any], sentence: str, admin: Client, downloads: Path
) -> None:
    factories.make_collection(slug="ward")
    answer = post(admin, params)
    assert (answer.status_code, sentence in answer.content.decode()) == (400, True)
    assert not Job.objects.exists()


def test_without_a_folder_set_aside_nothing_is_imported_from_here(admin: Client, settings: LazySettings) -> None:
    settings.IMPORT_DIR = None
    assert "IMPORT_DIR is not set" in post(admin, {"download": "deeplesion"}).content.decode()
    assert "there is none yet" in admin.get("/jobs/new/import/").content.decode()
    assert not Job.objects.exists()


def test_only_what_was_harvested_is_offered_for_curation(admin: Client, dataset: SimpleNamespace) -> None:
    factories.make_collection(slug="deeplesion", title="DeepLesion", kind="published")
    form = admin.get("/jobs/new/curate/").content.decode()
    assert '<option value="hospital">' in form
    assert 'value="deeplesion"' not in form
    check = admin.post("/jobs/new/curate/", {"collection": "hospital"}).content.decode()
    assert "<dt>Rows</dt><dd>3 lesions</dd>" in check


def test_a_harvested_collection_is_released_with_shares_of_patients(admin: Client, dataset: SimpleNamespace) -> None:
    wish = {"release": "ward-1.0", "collection": "hospital", "split": "70/15/14", "seed": "3"}
    answer = admin.post("/jobs/new/release/", wish)
    assert (answer.status_code, "do not add up to 100" in answer.content.decode()) == (422, True)
    admin.post("/jobs/new/release/", {**wish, "split": "100/0/0", "start": "1", "key": "k"})
    engine.perform(Job.objects.get(kind="release").pk)
    assert Release.objects.get(name="ward-1.0").split_method == "100/0/0 by patient, seed 3"
