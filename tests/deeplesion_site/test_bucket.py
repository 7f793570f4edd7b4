"""Slices in a bucket from the harvest to the download: the same bytes as with files."""

import json
from collections.abc import Callable
from io import BytesIO, StringIO
from pathlib import Path
from zipfile import ZipFile

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from PIL import Image
from pytest_django import Settings

from datasets import frozen
from datasets.models import Collection, Release, Slice
from datasets.services import manifest as manifests
from datasets.services import release as releases
from datasets.services import release_stream
from datasets.services.export import export
from datasets.services.hashing import MissingImage
from datasets.services.import_deeplesion import import_deeplesion
from datasets.services.locate import locate
from datasets.storage_errors import StorageUnreachable
from deeplesion_site.upkeep import check_files
from tests.datasets.services.test_locate import model, scorer
from tests.datasets.tables import draw, row, write
from tests.harvesting import harvest
from tests.peers.process import free_port
from tests.peers.s3 import S3

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _data_folder(settings: Settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path / "data"
    settings.DATA_DIR.mkdir()
    settings.IDENTITY_KEY_FILE = settings.DATA_DIR / "identity_key"


@pytest.fixture
def prefix(settings: Settings, s3: S3, tmp_path: Path) -> str:
    """A part of the bucket that the site now uses."""
    settings.S3 = s3.settings(tmp_path.name)
    return tmp_path.name


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_harvest_a_release_and_an_export_are_those_of_the_file_system(
    settings: Settings, s3: S3, phantom_hospital: Path, tmp_path: Path
) -> None:
    exported = {}
    for name, place in (("files", None), ("bucket", s3.settings("chain"))):
        settings.S3 = place
        assert harvest(f"dir://{phantom_hospital / 'dicom' / 'P0001'}", collection=name, context=2.0)[0] == 0
        releases.create(name, Collection.objects.get(slug=name), split=(100, 0, 0))
        export(Release.objects.get(name=name), tmp_path / name)
        exported[name] = contents(tmp_path / name)
        promised = json.loads(exported[name].pop("manifest.json"))["files"]
        assert {each["path"] for each in promised} == exported[name].keys()
    assert exported["files"] == exported["bucket"]
    assert not (settings.DATA_DIR / "slices" / "bucket").exists()
    images = [name.removeprefix("Images_png/") for name in exported["bucket"] if name.startswith("Images_png/")]
    assert [key.removeprefix("chain/slices/bucket/") for key in s3.keys("chain")] == sorted(images)
    # Slices of a published release stay; here only those in the bucket are to be looked at.
    frozen.drop(connection)
    Slice.objects.filter(series__study__patient__collection__slug="files").update(stored=False)
    assert list(check_files.slices(lambda done, total: None)) == []
    assert list(check_files.orphans()) == []


@pytest.fixture
def imported(prefix: str, tmp_path: Path) -> Release:
    """Three patients whose images were copied into the bucket."""
    rows = [row(number, split=number) for number in (1, 2, 3)]
    for each in rows:
        for number in (9, 10, 11):
            draw(tmp_path / "Images_png", each.folder, number, seed=each.patient)
    import_deeplesion(
        write(tmp_path / "in.csv", rows), images=tmp_path / "Images_png", copy=True, release="public-1.0"
    )
    return Release.objects.select_related("collection").get()


def test_a_copied_import_is_hashed_released_and_downloaded_from_the_bucket(
    imported: Release, s3: S3, prefix: str, tmp_path: Path, client_of: Callable[[str], Client]
) -> None:
    names = [key.removeprefix(f"{prefix}/slices/deeplesion/") for key in s3.keys(prefix)]
    assert len(names) == 9
    manifests.prepare(release_name="public-1.0")
    with ZipFile(BytesIO(b"".join(release_stream.pack(imported)))) as archive:
        for name in names:
            assert archive.read(f"Images_png/{name}") == (tmp_path / "Images_png" / name).read_bytes()
    place = Slice.objects.get(series__study__patient__number=1, number=10)
    answer = client_of("researcher").get(f"/slices/{place.pk}.png?size=64")
    assert answer.status_code == 200
    assert max(Image.open(BytesIO(answer.content)).size) == 64


def test_a_missing_object_is_named(imported: Release, s3: S3, prefix: str, tmp_path: Path) -> None:
    key = f"{prefix}/slices/deeplesion/000002_01_01/010.png"
    s3.client.delete_object(Bucket=s3.bucket, Key=key)
    with pytest.raises(CommandError) as failed:
        call_command("release", "export", "public-1.0", out=tmp_path / "out", stdout=StringIO())
    assert str(failed.value) == f"lesions/{key} cannot be read: No such file or directory"
    assert not (tmp_path / "out").exists()
    assert list(check_files.slices(lambda done, total: None)) == [
        "deeplesion/000002_01_01/010.png: the file is missing"
    ]
    frozen.drop(connection)
    Slice.objects.update(pixel_hash="", sha256="")
    with pytest.raises(MissingImage, match=r"000002_01_01/010\.png cannot be read"):
        releases.create("second", imported.collection, split=releases.OFFICIAL)


def test_a_server_that_is_gone_ends_the_work_and_takes_no_slice_for_empty(
    imported: Release, settings: Settings, client: Client, tmp_path: Path
) -> None:
    assert client.get("/health/ready").json()["storage"] is True
    settings.S3 = {**settings.S3, "endpoint": f"http://127.0.0.1:{free_port()}"}
    for work in (
        lambda: locate(collection=imported.collection, model=model(), score=scorer),
        lambda: export(imported, tmp_path / "out"),
        lambda: list(check_files.slices(lambda done, total: None)),
    ):
        with pytest.raises(StorageUnreachable, match="does not answer"):
            work()
    assert not (tmp_path / "out").exists()
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()["storage"]) == (503, False)


def test_a_harvest_that_loses_the_bucket_says_so(settings: Settings, s3: S3, phantom_hospital: Path) -> None:
    settings.S3 = {**s3.settings("lost"), "secret": "wrong"}
    with pytest.raises(CommandError, match=r"stopped at study 1 of 3: the bucket .* does not let us in"):
        harvest(f"dir://{phantom_hospital / 'dicom' / 'P0001'}", collection="lost", context=0.0)
    assert s3.keys("lost") == []
    assert not Slice.objects.filter(stored=True).exists()
