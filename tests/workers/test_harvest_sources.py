"""One hospital through a folder, DICOMweb, C-GET and C-MOVE: the same dataset to the byte."""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import models, transaction
from pytest_django import Settings

from datasets.models import Collection, HarvestedStudy, Lesion, ReleaseManifest
from datasets.services import release as releases
from datasets.services.export import export
from tests.datasets.pacs.archive import dimse, moving, store_files, web
from tests.harvesting import harvest
from tests.peers.orthanc import Orthanc

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

SERVED: dict[str, Callable[[Orthanc], str]] = {"dicomweb": web, "c-get": dimse, "c-move": moving}
PEOPLE = 2
APART = {(HarvestedStudy, "source"), (ReleaseManifest, "sha256")}
"""Columns that say where the dataset came from, and when it was published."""


@pytest.fixture
def accessions(phantom_hospital: Path, tmp_path: Path) -> Path:
    """The accession numbers of the patients that the PACS holds, too."""
    people = json.loads((phantom_hospital / "truth.json").read_text())["people"][:PEOPLE]
    path = tmp_path / "accessions"
    path.write_text("\n".join(study["accession"] for person in people for study in person["studies"]))
    return path


@pytest.fixture
def hospital(phantom_hospital: Path, orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch) -> str:
    """The folder's address; what the test asks for is in the PACS as well."""
    monkeypatch.setenv("DICOMWEB_PASSWORD", orthanc.password)
    for number in range(1, PEOPLE + 1):
        store_files(orthanc, (phantom_hospital / "dicom" / f"P{number:04d}").rglob("*.dcm"))
    return f"dir://{phantom_hospital / 'dicom'}"


def test_every_source_gives_the_same_dataset(
    hospital: str, orthanc: Orthanc, accessions: Path, settings: Settings, tmp_path: Path
) -> None:
    settings.IDENTITY_KEY_FILE = tmp_path / "key"
    addresses = {"folder": hospital, **{name: way(orthanc) for name, way in SERVED.items()}}
    found = {}
    for name, address in addresses.items():
        settings.DATA_DIR = tmp_path / name
        with transaction.atomic():
            status, _, err = harvest(address, accessions=str(accessions), collection="phantom", context=10.0)
            assert (status, err) == (0, ""), name
            assert Lesion.objects.count() > 5
            release = releases.create("phantom-1.0", Collection.objects.get(), split=(50, 50, 0), seed=1)
            export(release, tmp_path / "export" / name)
            found[name] = {
                "tables": tables(),
                "pictures": files(settings.DATA_DIR / "slices"),
                "release": files(tmp_path / "export" / name, "DL_info.csv", "Images_png/*/*.png"),
            }
            # Each source into an empty database.
            transaction.set_rollback(True)
    folder = found.pop("folder")
    assert len(folder["pictures"]) > 20
    for name, content in found.items():
        for part, expected in folder.items():
            assert content[part] == expected, f"{part} through {name}"


def tables() -> dict[str, list[dict[str, Any]]]:
    """Every row of the dataset but times of writing, primary keys as places in their table."""
    everything = list(apps.get_app_config("datasets").get_models())
    places = {model: {pk: place for place, pk in enumerate(_keys(model))} for model in everything}
    return {
        model.__name__: [
            {name: _value(row, field, places) for name, field in _columns(model)}
            for row in model._default_manager.order_by("pk")
        ]
        for model in everything
    }


def _keys(model: type[models.Model]) -> list[Any]:
    return list(model._default_manager.order_by("pk").values_list("pk", flat=True))


def _columns(model: type[models.Model]) -> Iterator[tuple[str, models.Field]]:
    for field in model._meta.concrete_fields:
        if not (field.primary_key or isinstance(field, models.DateTimeField) or (model, field.name) in APART):
            yield field.attname, field


def _value(row: models.Model, field: models.Field, places: dict[type[models.Model], dict[Any, int]]) -> Any:
    value = getattr(row, field.attname)
    return places[field.related_model][value] if field.is_relation and value is not None else value


def files(folder: Path, *patterns: str) -> dict[str, str]:
    """The SHA-256 of every file by its path."""
    found = [path for pattern in patterns or ("**/*",) for path in folder.glob(pattern) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(found)}
