"""Jobs started from pages: a form from the parameters, a sentence per mistake, the cost before, one job after."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from django.test import Client
from pytest_django import Settings

from datasets.services.harvest.order import find
from deeplesion_site.accounts.models import Action, AuditEntry
from deeplesion_site.dashboard.job_choices import ABOUT, HELP
from deeplesion_site.dashboard.job_forms import form_of
from deeplesion_site.dashboard.job_words import LABELS
from tests import factories
from workers import harvesting, kinds
from workers.models import Job

ClientOf = Callable[[str], Client]
PACS = {"source": "dicomweb+https://pacs.example/dicom-web", "collection": "ward", "dry_run": "on"}


@pytest.fixture
def admin(client_of: ClientOf) -> Client:
    return client_of("admin")


def started() -> int:
    return AuditEntry.objects.filter(action=Action.JOB_STARTED).count()


def test_every_kind_has_a_sentence_and_a_form(admin: Client, dataset: SimpleNamespace) -> None:
    page = admin.get("/jobs/new/").content.decode()
    for kind in kinds.ALL:
        assert ABOUT[kind.name] in page
        form = admin.get(f"/jobs/new/{kind.name}/").content.decode()
        for field in form_of(kind).fields:
            assert f'name="{field.name}"' in form
            assert field.label in form
    assert admin.get("/jobs/new/brew/").status_code == 404
    assert "password" not in str([*HELP.values(), *LABELS.values()]).lower()


def test_what_there_is_is_offered(admin: Client, dataset: SimpleNamespace) -> None:
    form = admin.get("/jobs/new/train/").content.decode()
    assert '<option value="first-1.0">' in form
    assert "next-0.1" not in form  # a draft
    assert '<option value="paper" selected>' in form
    locate = admin.get("/jobs/new/locate/").content.decode()
    assert '<option value="hospital">Hospital</option>' in locate
    assert '<option value="bpr-test">' in locate


def test_a_link_fills_in_what_it_brings_along(admin: Client, dataset: SimpleNamespace) -> None:
    form = admin.get("/jobs/new/locate/?model=bpr-test&brew=tea").content.decode()
    assert '<option value="bpr-test" selected>' in form
    assert "tea" not in form
    unknown = admin.get("/jobs/new/evaluate/?run=%3Cb%3E").content.decode()
    assert "<b>" not in unknown


def test_the_cost_is_shown_and_then_it_starts_once(admin: Client, dataset: SimpleNamespace) -> None:
    check = admin.post("/jobs/new/manifest/", {"release": "first-1.0"})
    page = check.content.decode()
    for words in (
        "<dt>Rows</dt><dd>1 lesion</dd>",
        "<dt>Slices</dt><dd>1 in all, 1 with a lesion<",
        "Disk free",
        "none serves io now",
    ):
        assert words in page, words
    assert not Job.objects.filter(kind="manifest").exists()
    assert started() == 0
    wish = {"release": "first-1.0", "start": "1", "key": check.context["key"]}
    addresses = {admin.post("/jobs/new/manifest/", wish).url for _ in range(2)}
    job = Job.objects.get(kind="manifest")
    assert addresses == {f"/jobs/{job.pk}/"}
    assert job.params == {"release": "first-1.0"}
    assert started() == 1


def test_a_job_for_the_gpu_says_whether_there_is_one(admin: Client, dataset: SimpleNamespace) -> None:
    answer = admin.post("/jobs/new/train/", {"release": "first-1.0", "preset": "paper", "seed": "7"})
    assert "Graphics card" in answer.content.decode()
    tiny = admin.post("/jobs/new/train/", {"release": "first-1.0", "preset": "tiny"}).content.decode()
    assert "takes very long" not in tiny
    assert "1 lesion<" in answer.content.decode()


def test_choices_are_offered_and_days_are_picked(admin: Client, dataset: SimpleNamespace) -> None:
    train = form_of(kinds.get("train"))
    shapes = {field.name: field.shape for field in train.fields}
    assert {shapes[name] for name in ("release", "preset", "weights", "backbone", "precision", "spacing")} == {
        "select"
    }
    assert {shapes[name] for name in ("seed", "batch", "epochs", "learning_rate", "fraction")} == {"number"}
    assert all(field.help for field in train.fields if field.name != "release")
    page = admin.get("/jobs/new/train/").content.decode()
    assert '<option value="resnet50">resnet50</option>' in page
    assert '<option value="" selected>what is fast on the machine</option>' in page
    harvest = admin.get("/jobs/new/harvest/").content.decode()
    assert harvest.count('type="date"') == 2
    for kind in ("SR", "PR"):
        assert f'<input type="checkbox" name="annotations" value="{kind}">' in harvest


def test_what_was_ticked_is_asked_for(admin: Client, db: None) -> None:
    wish = {**PACS, "annotations": ["SR", "PR"], "first_date": "2024-01-31"}
    check = admin.post("/jobs/new/harvest/", wish).content.decode()
    assert "structured reports (SR), presentation states (PR)" in check
    for kind in ("SR", "PR"):
        assert f'<input type="hidden" name="annotations" value="{kind}">' in check
    change = admin.post("/jobs/new/harvest/", {**wish, "annotations": ["PR"], "change": "1"}).content.decode()
    assert '<input type="checkbox" name="annotations" value="PR" checked>' in change
    assert '<input type="checkbox" name="annotations" value="SR">' in change
    admin.post("/jobs/new/harvest/", {**wish, "start": "1", "key": "k"})
    assert Job.objects.get().params["annotations"] == ["PR", "SR"]


def test_a_chosen_option_reaches_the_training(admin: Client, dataset: SimpleNamespace) -> None:
    wish = {"release": "first-1.0", "preset": "paper", "spacing": "0.8", "precision": "bf16-mixed", "backbone": ""}
    admin.post("/jobs/new/train/", {**wish, "start": "1", "key": "k"})
    params = Job.objects.get(kind="train").params
    assert (params["spacing"], params["precision"], params.get("backbone")) == (0.8, "bf16-mixed", None)


@pytest.mark.parametrize(
    ("kind", "given", "sentence"),
    [
        ("train", {"release": "r", "seed": "x"}, "seed must be a whole number."),
        ("train", {"release": "r", "fraction": "2"}, "fraction must be above 0 and at most 1."),
        ("train", {"preset": "paper"}, "release is missing."),
        (
            "train",
            {"release": "r", "backbone": "odd"},
            "backbone must be vgg16 or alexnet or resnet50 or densenet121.",
        ),
        ("train", {"release": "r", "precision": "odd"}, "precision must be auto or 32-true or bf16-mixed."),
        ("harvest", {**PACS, "annotations": ["CT"]}, "annotations are stored in PR or SR"),
        ("harvest", {**PACS, "context": "-3mm"}, "context must be millimetres"),
        ("harvest", {**PACS, "context": "nan"}, "context must be millimetres"),
        ("evaluate", {"run": "1", "split": "odd"}, "split must be train or val or test or all."),
        ("harvest", {"source": "dir:///etc"}, "a folder is harvested by manage.py harvest"),
        ("harvest", {"source": "ftp://host"}, "source is no address"),
        ("harvest", {"source": "dicomweb+https://u@evil.example/root"}, "names them in DICOMWEB_HOSTS"),
        ("harvest", {**PACS, "first_date": "soon"}, "first_date must be a day"),
        ("harvest", {**PACS, "context": "near"}, "context must be millimetres"),
    ],
)
def test_a_mistake_is_a_sentence_at_its_field(kind: str, given: dict[str, str], sentence: str, admin: Client) -> None:
    answer = admin.post(f"/jobs/new/{kind}/", given)
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert not Job.objects.exists()


def test_what_was_filled_in_stays_when_it_is_to_be_changed(admin: Client, db: None) -> None:
    answer = admin.post("/jobs/new/harvest/", {**PACS, "accession_numbers": "A1\r\nA2", "change": "1"})
    page = answer.content.decode()
    assert answer.status_code == 200
    assert PACS["source"] in page
    assert "A1\r\nA2</textarea>" in page


def test_a_harvest_is_rehearsed_and_then_done_for_real_once(admin: Client, db: None) -> None:
    admin.post("/jobs/new/harvest/", {**PACS, "accession_numbers": "A1\nA2", "start": "1", "key": "k"})
    rehearsal = Job.objects.get()
    assert rehearsal.params["dry_run"] is True
    assert rehearsal.params["accession_numbers"] == 2
    assert "A1" not in str(rehearsal.params)
    assert find(rehearsal.params["order"], harvesting.orders()).accession_numbers == ("A1", "A2")
    factories.move_job(rehearsal, "succeeded")
    assert "Harvest for real" in admin.get(f"/jobs/{rehearsal.pk}/").content.decode()
    assert "is taken into the collection" in admin.get(f"/jobs/{rehearsal.pk}/for-real/").content.decode()
    addresses = {admin.post(f"/jobs/{rehearsal.pk}/for-real/").url for _ in range(2)}
    made = Job.objects.exclude(pk=rehearsal.pk).get()
    assert addresses == {f"/jobs/{made.pk}/"}
    assert made.params == {**rehearsal.params, "dry_run": False}
    assert started() == 2


def test_only_a_dry_run_is_done_for_real(admin: Client, dataset: SimpleNamespace) -> None:
    before = Job.objects.count()
    assert admin.post(f"/jobs/{dataset.job.pk}/for-real/").url == f"/jobs/{dataset.job.pk}/"
    assert Job.objects.count() == before


def test_a_harvest_over_rest_is_the_same_order(admin: Client, db: None) -> None:
    ask = {"kind": "harvest", "params": {"source": PACS["source"], "collection": "ward", "dry_run": False}}
    answer = admin.post("/api/v1/jobs/", ask, content_type="application/json")
    assert answer.status_code == 201
    assert answer.json()["params"]["source"] == PACS["source"]
    bad = {"kind": "harvest", "params": {"source": "dir:///etc", "order": "0" * 64}}
    answer = admin.post("/api/v1/jobs/", bad, content_type="application/json")
    assert answer.status_code == 400
    assert "There is no parameter order." in answer.content.decode()


def test_the_api_refuses_a_server_that_may_not_be_told_the_password(
    admin: Client, db: None, settings: Settings
) -> None:
    ask = {"kind": "harvest", "params": {"source": "dicomweb+https://u@pacs.example/root"}}
    answer = admin.post("/api/v1/jobs/", ask, content_type="application/json")
    assert answer.status_code == 400
    assert "DICOMWEB_HOSTS" in answer.json()["detail"]
    assert not Job.objects.exists()
    settings.DICOMWEB_HOSTS = ["pacs.example"]
    assert admin.post("/api/v1/jobs/", ask, content_type="application/json").status_code == 201


@pytest.mark.parametrize("role", ["anonymous", "researcher", "curator"])
def test_only_administrators_start_jobs(role: str, client_of: ClientOf) -> None:
    assert client_of(role).post("/jobs/new/manifest/", {"release": "r", "start": "1"}).status_code == 404
    assert not Job.objects.exists()
