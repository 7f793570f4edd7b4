"""What a harvest or an import adds is located next, by a job of its own, which no harvest waits for or fails with."""

from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from celery import current_app
from django.core.management import call_command
from pytest_django import Settings

from datasets.models import Collection, Lesion, LocationModel
from datasets.services.harvest.order import Order
from tests.datasets import tables
from tests.datasets.pacs.dicom_files import save
from tests.harvesting import harvest
from tests.workers.three_studies import study
from workers import engine, harvesting
from workers.kinds import import_download, locate
from workers.models import Job

pytestmark = pytest.mark.django_db
BODY = np.pad(np.full((56, 56), 40, dtype=np.int16), 4, constant_values=-1000)


@dataclass
class Line:
    """As a regressor: a line from head to feet over the slice numbers."""

    finding: str = "fine"
    sentence: str = "It says so."

    def score(self, slices, interval, version):
        for _ in slices:
            pass
        return self

    def at(self, number):
        return 0.5 + 0.01 * number

    single_at = at


@pytest.fixture(autouse=True)
def _own_data(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.DATA_DIR = tmp_path / "data"
    settings.IDENTITY_KEY_FILE = settings.DATA_DIR / "identity_key"
    # The messages stay away; a job's row is its message.
    monkeypatch.setattr(current_app, "send_task", lambda *_, **__: None)


@pytest.fixture
def _a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """To learn one takes a minute."""
    monkeypatch.setattr(locate, "_model", lambda record: Line())


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "pacs"
    arrive(folder, 1)
    return folder


def arrive(folder: Path, number: int) -> None:
    """A study comes to the archive."""
    for at, each in enumerate(study(f"1.2.840.9.{number}", hu=BODY)):
        save(each, folder / str(number) / str(at))


def harvested(source: Path) -> Job:
    """As a schedule has it done."""
    order = Order(source=f"dir://{source}", collection="hospital", since_last=True)
    return done(engine.enqueue(kind="harvest", params=harvesting.params_of(order)))


def done(job: Job) -> Job:
    engine.perform(job.pk)
    job.refresh_from_db()
    assert job.state == Job.State.SUCCEEDED, job.message
    return job


def waiting() -> list[dict[str, str]]:
    return list(Job.objects.filter(kind="locate", state=Job.State.QUEUED).values_list("params", flat=True))


def model(version: str) -> LocationModel:
    return LocationModel.objects.create(version=version, trained_on="demo-1.0")


@pytest.mark.usefixtures("_a_line")
def test_what_a_harvest_adds_to_a_located_collection_is_located_by_its_model(source: Path) -> None:
    model("bpr-1")
    harvested(source)
    assert waiting() == [{"collection": "hospital", "model": "bpr-1"}], "the newest, where none was chosen yet"
    done(Job.objects.get(kind="locate"))
    model("bpr-2")
    harvested(source)
    assert not waiting(), "nothing new came"
    arrive(source, 2)
    harvested(source)
    assert waiting() == [{"collection": "hospital", "model": "bpr-1"}], "the one that was chosen"
    again = done(Job.objects.filter(kind="locate").first())
    assert again.result == {"fine": 1, "lesions": 1}, "what is new alone"
    assert set(Lesion.objects.values_list("location_source", flat=True)) == {"bpr-1"}


def test_without_a_regressor_nothing_follows(source: Path) -> None:
    harvested(source)
    assert not waiting()


def test_what_follows_fails_no_harvest(source: Path) -> None:
    """The file of the model is not there."""
    model("bpr-1")
    status, out, err = harvest(f"dir://{source}", collection="hospital")
    assert (status, "New lesions: 1." in out) == (0, True)
    assert "The new lesions have no place yet: the file of the model bpr-1 is missing" in err
    states = Job.objects.order_by("pk").values_list("kind", "state")
    assert list(states) == [("harvest", Job.State.SUCCEEDED), ("locate", Job.State.FAILED)]


@pytest.mark.usefixtures("_a_line")
def test_without_a_worker_the_command_locates_what_it_has_harvested(source: Path) -> None:
    model("bpr-1")
    _, out, _ = harvest(f"dir://{source}", collection="hospital")
    assert "hospital: 1 lesions located; 1 series fine" in out
    assert Lesion.objects.get().location_source == "bpr-1"


@pytest.fixture
def download(tmp_path: Path) -> Path:
    """Two patients, of whom one lesion came with its place."""
    rows = [tables.row(1), tables.row(2, location=None)]
    tables.write(tmp_path / "DL_info.csv", rows)
    for row in rows:
        tables.draw(tmp_path / "Images_png", row.folder, 10, seed=row.patient)
    return tmp_path


def imported(download: Path) -> None:
    params = import_download.params_of(download / "DL_info.csv", images=download / "Images_png", collection="ours")
    done(engine.enqueue(kind="import", params=params))


@pytest.mark.usefixtures("_a_line")
def test_what_an_import_brings_without_a_place_is_located(download: Path) -> None:
    model("bpr-1")
    imported(download)
    assert waiting() == [{"collection": "ours", "model": "bpr-1"}]
    done(Job.objects.get(kind="locate"))
    sources = Lesion.objects.order_by("pk").values_list("location_source", flat=True)
    assert list(sources) == ["published", "bpr-1"]
    Lesion.objects.filter(location_source="bpr-1").update(x=0.1, y=0.1, z=0.1, location_source="published")
    Collection.objects.update(location_model=None)
    imported(download)
    assert not waiting(), "all have a place"


@pytest.mark.usefixtures("_a_line")
def test_without_a_worker_the_command_locates_what_it_has_imported(download: Path) -> None:
    model("bpr-1")
    out = StringIO()
    call_command("import_deeplesion", download / "DL_info.csv", images=download / "Images_png", stdout=out)
    assert "deeplesion: 2 lesions located; 2 series fine" in out.getvalue()
