"""What a job will cost: the same on its form and over the API, with the disk it takes and the GPUs of the workers."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import LazySettings
from django.db.models.functions import Now
from django.test import Client
from django.utils.html import escape

from datasets.models import Release, Slice
from deeplesion_site.cost import needs
from detection.models import TrainingRun
from tests import factories
from tests.datasets import tables
from workers import kinds
from workers.models import Job, Worker

ClientOf = Callable[[str], Client]
PACS = {"source": "dicomweb+https://pacs.example/dicom-web", "collection": "ward"}


@pytest.fixture
def admin(client_of: ClientOf) -> Client:
    return client_of("admin")


def told(client: Client, kind: str, params: dict[str, Any], code: int = 200) -> Any:
    ask = {"kind": kind, "params": params}
    answer = client.post("/api/v1/jobs/cost/", ask, content_type="application/json")
    assert answer.status_code == code, answer.content
    return answer.json()


@pytest.fixture
def download(tmp_path: Path, settings: LazySettings) -> int:
    """A download of three series below IMPORT_DIR; gives the bytes of its images."""
    folder = tmp_path / "downloads" / "deeplesion"
    folder.mkdir(parents=True)
    rows = [tables.row(number, split=number) for number in (1, 2, 3)]
    tables.write(folder / "DL_info.csv", rows)
    for row in rows:
        tables.draw(folder / "Images_png", row.folder, 10, seed=row.patient)
    settings.IMPORT_DIR = folder.parent
    return sum(path.stat().st_size for path in folder.rglob("*.png"))


def test_form_and_api_tell_the_same_of_every_kind(admin: Client, dataset: SimpleNamespace, download: int) -> None:
    asked: dict[str, dict[str, Any]] = {
        "harvest": {**PACS, "dry_run": True},
        "import": {"download": "deeplesion"},
        "curate": {"collection": "hospital"},
        "release": {"release": "next-1.0", "collection": "hospital"},
        "manifest": {"release": "first-1.0"},
        "export": {"release": "first-1.0"},
        "bodypart": {"release": "first-1.0"},
        "locate": {"collection": "hospital", "model": "bpr-test"},
        "train": {"release": "first-1.0"},
        "evaluate": {"run": dataset.evaluation.run_id},
    }
    assert set(asked) == {kind.name for kind in kinds.ALL} == set(needs.KINDS)
    TrainingRun.objects.update(release="first-1.0")
    for kind, params in asked.items():
        page = admin.post(f"/jobs/new/{kind}/", {**params, "dry_run": "on"} if kind == "harvest" else params)
        for fact in told(admin, kind, params)["facts"]:
            if fact["name"] != "Disk free":  # another moment
                assert f"<dt>{fact['name']}</dt><dd>{escape(fact['words'])}</dd>" in page.content.decode(), kind
    assert not Job.objects.exclude(pk=dataset.job.pk).exists(), "nothing is queued"


def test_what_is_not_there_is_named(admin: Client, dataset: SimpleNamespace) -> None:
    for kind, params, sentence in (
        ("train", {"release": "r"}, "There is no published release r."),
        ("train", {"release": "next-0.1"}, "There is no published release next-0.1."),
        ("curate", {"collection": "c"}, "There is no collection c."),
        ("evaluate", {"run": 99}, "There is no run 99."),
        ("train", {"release": "first-1.0", "seed": "x"}, "seed must be a whole number."),
        ("brew", {}, "There is no kind of job called brew."),
    ):
        assert sentence in str(told(admin, kind, params, 400)), kind
    form = admin.post("/jobs/new/manifest/", {"release": "r"})
    assert (form.status_code, "There is no published release r." in form.content.decode()) == (422, True)


def test_training_needs_checkpoints_and_for_a_while_decoded_slices(admin: Client, dataset: SimpleNamespace) -> None:
    factories.make_release([dataset.published], name="second-1.0")
    found = told(admin, "train", {"release": "second-1.0", "preset": "paper"})
    checkpoint = 2 * 4 * 26_900_000
    assert (found["slices"], found["disk_bytes"]) == (1, 2 * checkpoint)
    assert found["passing_bytes"] == checkpoint + 512 * 512 * 2
    (disk,) = (fact["words"] for fact in found["facts"] if fact["name"] == "Disk needed")
    assert "of it for good" in disk
    assert "two checkpoints; decoded slices while it trains" in disk
    assert told(admin, "train", {"release": "second-1.0", "preset": "tiny"})["disk_bytes"] < checkpoint / 10


def test_a_regressor_learns_from_a_part_of_a_large_release(admin: Client, dataset: SimpleNamespace) -> None:
    large = factories.make_release([dataset.published], name="large-1.0", published=False)
    counts = {"train": {"series": 300, "slices": 10_000}, "val": {}, "test": {"series": 9, "slices": 900}}
    Release.objects.filter(pk=large.pk).update(counts=counts)
    Release.objects.filter(pk=large.pk).update(state=Release.State.PUBLISHED, published=Now())
    found = told(admin, "bodypart", {"release": "large-1.0", "preset": "small"})
    assert found["slices"] == round(10_000 / 300 * 120 * 7 / 6)
    assert 0 < found["passing_bytes"] - found["slices"] * 64 * 64 < 2_000_000, "the checkpoint beside the pictures"
    assert told(admin, "bodypart", {"release": "large-1.0", "preset": "full"})["slices"] == 10_000


def test_a_harvest_costs_what_its_dry_run_has_counted(admin: Client, db: None) -> None:
    wish = {**PACS, "accession_numbers": "A1", "dry_run": "on"}
    admin.post("/jobs/new/harvest/", {**wish, "start": "1", "key": "k"})
    rehearsal = Job.objects.get()
    asked = {**PACS, "accession_numbers": ["A1"], "dry_run": False}
    assert told(admin, "harvest", asked)["disk_bytes"] is None, "it has not succeeded"
    rehearsal.result = {"slices": 1000, "lesions": 20}
    factories.move_job(rehearsal, "succeeded")
    found = told(admin, "harvest", asked)
    assert (found["rows"], found["slices"]) == (20, 1000)
    assert found["disk_bytes"] == 1000 * 512 * 512 * 2 + 20 * needs.LESION_ROWS
    assert told(admin, "harvest", {**asked, "accession_numbers": ["A2"]})["slices"] is None, "another harvest"
    series = factories.make_series()
    Slice.objects.create(series=series, number=1, stored=True, stored_at=rehearsal.created, bytes=200_000)
    assert told(admin, "harvest", asked)["disk_bytes"] == 1000 * 200_000 + 20 * needs.LESION_ROWS
    page = admin.get(f"/jobs/{rehearsal.pk}/for-real/").content.decode()
    assert f"1,000 new, as job {rehearsal.pk} counted" in page
    assert "Disk needed" in page


def test_an_import_that_copies_needs_as_much_as_the_images(admin: Client, db: None, download: int) -> None:
    stays = told(admin, "import", {"download": "deeplesion"})
    copies = told(admin, "import", {"download": "deeplesion", "copy": True})
    assert (stays["rows"], stays["disk_bytes"]) == (3, 3 * needs.LESION_ROWS)
    assert copies["disk_bytes"] == download + 3 * needs.LESION_ROWS


def test_a_pack_needs_what_the_manifest_says(admin: Client, dataset: SimpleNamespace) -> None:
    assert told(admin, "export", {"release": "first-1.0"})["disk_bytes"] is None
    prepared = factories.make_release([dataset.published], name="packed-1.0", manifest=True)
    assert told(admin, "export", {"release": "packed-1.0"})["disk_bytes"] == prepared.manifest.bytes


@pytest.mark.parametrize(
    ("gpus", "paper", "tiny"),
    [
        (None, "no worker has said whether it has one; without, on a CPU it takes very long", "made for a CPU"),
        ([], "the worker has none; on a CPU it takes very long", "the worker has none; this preset is made for a CPU"),
        (["H100", "H100"], "H100, H100", "H100, H100"),
    ],
)
def test_a_gpu_is_the_worker_s(
    gpus: list[str] | None, paper: str, tiny: str, admin: Client, dataset: SimpleNamespace
) -> None:
    Worker.objects.create(name="far:1", queues=["gpu"], gpus=gpus, free_bytes=1000)
    Worker.objects.create(name="near:1", queues=["io"], gpus=["none of these"], free_bytes=5)
    for preset, words in (("paper", paper), ("tiny", tiny)):
        found = told(admin, "train", {"release": "first-1.0", "preset": preset})
        facts = {fact["name"]: fact["words"] for fact in found["facts"]}
        assert words in facts["Graphics card"]
        assert (found["gpus"], found["workers"], found["free_bytes"]) == (gpus, 1, 1000)
    assert found["enough"] is False
    page = admin.post("/jobs/new/train/", {"release": "first-1.0", "preset": "tiny"}).content.decode()
    assert "The disk has less room than the job needs" in page
    health = admin.get("/health/").content.decode()
    assert ("H100, H100" if gpus else "the workers have none" if gpus == [] else "has said whether") in health


def test_nobody_else_learns_what_there_is(client_of: ClientOf, dataset: SimpleNamespace) -> None:
    assert told(client_of("curator"), "train", {"release": "first-1.0"}, 403)["status"] == 403
