"""Downloads of a release: table, manifest, archive."""

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.db import connection
from django.test import Client

from datasets import frozen, manifest
from datasets.models import ReleaseManifest, Slice
from datasets.services import archive as archives
from datasets.services import manifest as manifests
from datasets.services.hashing import MissingImage
from datasets.services.release_contents import csv_lines, slices
from datasets.storage import release_folder
from deeplesion_site.accounts import audit
from deeplesion_site.accounts.models import AuditEntry
from tests import factories

FIRST = "release first-1.0"
ZIP = "/releases/first-1.0/archive.zip"


@pytest.fixture
def reader(signer: Callable[[], Client], dataset: SimpleNamespace) -> Client:
    """Sign in a researcher who has signed the agreement of the release."""
    return signer()


def body(client: Client, address: str) -> bytes:
    answer = client.get(address)
    assert answer.status_code == 200
    assert answer.streaming
    assert "attachment" in answer["Content-Disposition"]
    return b"".join(answer)


def test_the_table_is_what_was_published(reader: Client, dataset: SimpleNamespace) -> None:
    content = body(reader, "/releases/first-1.0/DL_info.csv").decode()
    assert content == "".join(csv_lines(dataset.release))
    assert len(list(csv.reader(io.StringIO(content)))) == 2


def test_the_archive_has_the_layout_of_deeplesion(reader: Client, dataset: SimpleNamespace) -> None:
    with zipfile.ZipFile(io.BytesIO(body(reader, "/releases/first-1.0/archive.zip"))) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert names[0] == "DL_info.csv"
        assert set(names[1:]) == {f"Images_png/000001_01_01/{number:03d}.png" for number in (18, 19, 20, 21)}
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        assert archive.read("DL_info.csv").decode() == "".join(csv_lines(dataset.release))


def test_the_archive_of_a_split_holds_its_images_alone(reader: Client, dataset: SimpleNamespace) -> None:
    for split, count in (("test", 4), ("train", 0)):
        content = body(reader, f"/releases/first-1.0/archive.zip?split={split}")
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert sum(name.endswith(".png") for name in archive.namelist()) == count
    assert reader.get("/releases/first-1.0/archive.zip?split=all").status_code == 404


def test_the_manifest_comes_as_it_was_written(reader: Client, dataset: SimpleNamespace) -> None:
    folder = release_folder("first-1.0")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / manifest.FILE_NAME).write_text(json.dumps({"name": "first-1.0"}))
    try:
        assert json.loads(body(reader, "/releases/first-1.0/manifest.json")) == {"name": "first-1.0"}
        entry = AuditEntry.objects.latest("id")
        assert (entry.action, entry.subject, entry.details) == ("downloaded", FIRST, {"file": "manifest.json"})
    finally:
        (folder / manifest.FILE_NAME).unlink()


@pytest.fixture
def images(data_folder: Path, dataset: SimpleNamespace) -> Path:
    """Write the manifest of the release; give the folder of its four images."""
    release = dataset.release
    entries = [manifests.table_entry(release), *map(manifests.image_entry, slices(release))]
    manifests.path_of(release).parent.mkdir(parents=True)
    digest = manifests.write(release, manifests.path_of(release), entries)
    size = sum(each[1] for each in entries)
    ReleaseManifest.objects.create(release=release, sha256=digest, files=len(entries), bytes=size)
    return data_folder / "slices" / "hospital" / "000001_01_01"


def test_a_prepared_archive_holds_the_manifest_and_what_it_lists(images: Path, reader: Client) -> None:
    with zipfile.ZipFile(io.BytesIO(body(reader, ZIP))) as archive:
        listed = json.loads(archive.read("manifest.json"))["files"]
        assert {each["path"] for each in listed} == set(archive.namelist()) - {"manifest.json"}
        for each in listed:
            assert hashlib.sha256(archive.read(each["path"])).hexdigest() == each["sha256"]


@pytest.mark.parametrize("split", ["", "?split=test"])
@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_a_changed_image_breaks_the_download_and_is_named_to_the_next(
    split: str, damage: str, images: Path, reader: Client, caplog: pytest.LogCaptureFixture
) -> None:
    image = images / "020.png"
    content = image.read_bytes()
    if damage == "changed":
        image.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    else:
        image.unlink()
    arrived = io.BytesIO()
    with pytest.raises(MissingImage, match=r"000001_01_01/020\.png"):
        arrived.writelines(reader.get(ZIP + split))
    assert b"019.png" in arrived.getvalue()
    with pytest.raises(zipfile.BadZipFile):
        zipfile.ZipFile(arrived)
    for address in (ZIP, f"{ZIP}?split=test"):
        answer = reader.get(address)
        assert answer.status_code == 503
        assert (
            f"000001_01_01/020.png {'is damaged' if damage == 'changed' else 'cannot be read'}"
            in answer.content.decode()
        )
    assert str(images) not in answer.content.decode() + caplog.text
    image.write_bytes(content)
    with zipfile.ZipFile(io.BytesIO(body(reader, ZIP))) as archive:
        assert archive.read("Images_png/000001_01_01/020.png") == content


def test_a_release_that_its_manifest_does_not_fit_is_not_sent(images: Path, reader: Client) -> None:
    path = release_folder("first-1.0") / manifest.FILE_NAME
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"020.png", b"022.png"))
    answer = reader.get(ZIP)
    assert answer.status_code == 503
    assert "manifest.json is damaged" in answer.content.decode()
    assert str(path.parent) not in answer.content.decode()
    path.write_bytes(whole)
    frozen.drop(connection)
    Slice.objects.filter(number=21, stored=True).update(sha256="0" * 64)
    assert "021.png has another size or SHA-256" in reader.get(ZIP).content.decode()
    assert not AuditEntry.objects.filter(action="downloaded").exists()


@pytest.mark.parametrize("name", ["..", "%2e%2e%2fsecret", "Nope"])
def test_no_other_name_is_a_release(client: Client, dataset: SimpleNamespace, name: str) -> None:
    assert client.get(f"/releases/{name}/manifest.json").status_code == 404


def test_the_release_page_shows_how_far_the_manifest_is(client: Client, dataset: SimpleNamespace) -> None:
    def shown() -> str:
        return client.get("/releases/first-1.0/progress/").content.decode()

    assert "has not been prepared" in shown()
    job = factories.make_job(
        kind="manifest", state="running", params={"release": "first-1.0"}, done=1, total=4, unit="files"
    )
    assert "25 %" in shown()
    assert "every 2s" in shown()
    factories.move_job(job, "succeeded")
    factories.make_job(kind="manifest", state="failed", params={"release": "first-1.0"}, message="020.png is missing")
    assert "020.png is missing" in shown()
    assert "every 2s" not in shown()
    factories.make_job(kind="manifest", state="succeeded", params={"release": "other"})
    assert "020.png is missing" in shown()


def test_a_prepared_manifest_shows_its_hash_and_asks_no_more(client: Client, db: None) -> None:
    factories.make_release([factories.make_lesion()], name="done-1.0", manifest=True)
    page = client.get("/releases/done-1.0/").content.decode()
    assert "a" * 64 in page
    assert "hx-trigger" not in page


@pytest.fixture
def packed(dataset: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put ten bytes in the place of the release's packed archive."""
    monkeypatch.setattr(archives, "path_of", lambda name: tmp_path / f"{name}.zip")
    (tmp_path / "first-1.0.zip").write_bytes(b"0123456789")
    (tmp_path / "first-1.0.zip.sha256").write_text("ab12  first-1.0.zip\n")


@pytest.mark.parametrize(
    ("headers", "status", "content", "said"),
    [
        ({}, 200, b"0123456789", None),
        ({"range": "bytes=4-"}, 206, b"456789", "bytes 4-9/10"),
        ({"range": "bytes=4-", "if-range": '"ab12"'}, 206, b"456789", "bytes 4-9/10"),
        ({"range": "bytes=4-5"}, 206, b"45", "bytes 4-5/10"),
        ({"range": "bytes=10-"}, 416, b"", "bytes */10"),
        ({"range": "bytes=1-2,4-5"}, 200, b"0123456789", None),
        ({"range": "bytes=-3"}, 200, b"0123456789", None),
        ({"range": "bytes=4-", "if-range": '"other"'}, 200, b"0123456789", None),
    ],
)
def test_a_packed_archive_has_a_length_and_goes_on_where_a_download_broke(
    headers: dict[str, str], status: int, content: bytes, said: str | None, reader: Client, packed: None
) -> None:
    answer = reader.get("/releases/first-1.0/archive.zip", headers=headers)
    assert (answer.status_code, b"".join(answer)) == (status, content)
    assert (answer.headers.get("Content-Range"), answer["ETag"]) == (said, '"ab12"')
    if content:
        assert answer["Content-Length"] == str(len(content))
    assert b"ab12" in reader.get("/releases/first-1.0/").content


def test_what_nobody_known_downloads_again_and_again_is_logged_once_an_hour(
    images: Path, client: Client, reader: Client, settings: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PUBLIC_READ = True
    address = "/releases/first-1.0/manifest.json"
    for _ in range(3):
        body(client, address)
        body(reader, address)
    logged = AuditEntry.objects.filter(action="downloaded", subject=FIRST, details={"file": "manifest.json"})
    assert logged.filter(actor=None).count() == 1
    assert logged.exclude(actor=None).count() == 3, "of an account every download"
    monkeypatch.setattr(audit, "FOLDED", timedelta(0))
    body(client, address)
    assert logged.filter(actor=None).count() == 2
