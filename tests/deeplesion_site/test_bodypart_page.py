"""The page of the body-part regressor: what it says of a model, its series and published places; and without any."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from datasets.models import (
    Collection,
    Lesion,
    LesionLocation,
    LocationModel,
    Release,
    SeriesLocation,
    SliceLocation,
    Split,
)
from datasets.services.locate import choose
from tests import factories
from workers.models import Job

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
FACTS = {
    "preset": "small",
    "steps": 700,
    "series": 59,
    "patients": 70,
    "validation_series": 9,
    "seconds": 97.2,
    "validation_monotonic": 0.5,
    "validation_smoothed_monotonic": 1.0,
    "known": [0.33, 0.9],
    "anchor": {"method": "types", "lesions": 132, "scale": 1.0, "offset": 0.0},
}


@pytest.fixture
def located(settings: Settings, tmp_path: Path) -> SimpleNamespace:
    """Three patients of a release, one held out, each with a series that a model has scored."""
    settings.DATA_DIR = tmp_path
    collection = factories.make_collection(slug="phantom", title="Phantom hospital")
    model = LocationModel.objects.create(version="bpr-small-1", trained_on="demo-1.0", facts=FACTS)
    lesions = []
    for number, finding in ((1, "fine"), (2, "fine"), (3, "reversed")):
        patient = factories.make_patient(collection=collection, number=number)
        series = factories.make_series(study=factories.make_study(patient=patient))
        SeriesLocation.objects.create(series=series, model=model, finding=finding, sentence=f"{finding}, it says.")
        for place in range(1, 12):
            image = factories.make_slice(series=series, number=place, stored=True)
            z = 0.44 + 0.01 * place
            SliceLocation.objects.create(slice=image, model=model, score=z + 0.002, z=z if place < 11 else None)
        lesion = factories.make_lesion(slice=series.slices.get(number=6), x=None, y=None, z=None, location_source="")
        LesionLocation.objects.create(lesion=lesion, model=model, x=0.4, y=0.5, z=0.5)
        lesions.append(lesion)
    release = factories.make_release(lesions, name="demo-1.0")
    choose(collection=collection, model=model)
    run = tmp_path / "bodypart" / model.version
    run.mkdir(parents=True)
    lines = [{"step": step, "order_loss": 5 / step, "distance_loss": 0.1} for step in (10, 20, 30)]
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return SimpleNamespace(model=model, lesions=lesions, release=release)


def text(client: Client, address: str = "/bodypart/") -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode().replace("\u00a0", " ")


def test_without_a_model_the_page_says_how_to_get_one(client: Client, client_of: Callable[[str], Client]) -> None:
    page = text(client)
    assert "No regressor yet" in page
    assert "/jobs/" not in page, "a visitor can start nothing"
    assert 'href="/jobs/new/bodypart/"' in text(client_of("admin"))


def test_while_the_first_one_learns_the_page_follows_it(client: Client, client_of: Callable[[str], Client]) -> None:
    job = factories.make_job(kind="bodypart", state=Job.State.RUNNING, done=90, total=450)
    for page in (text(client), client.get("/bodypart/", headers=HTMX).content.decode()):
        assert 'hx-get="/bodypart/"' in page
        assert "90 of 450 steps" in page
    assert "<html" not in client.get("/bodypart/", headers=HTMX).content.decode()
    job.message = "no slices to learn from"
    factories.move_job(job, Job.State.FAILED)
    part = client.get("/bodypart/", headers=HTMX)
    assert "could not be trained. No slices to learn from." in part.content.decode()
    assert "hx-get" not in part.content.decode()
    assert "HX-Refresh" not in part
    LocationModel.objects.create(version="bpr-small-1", trained_on="demo-1.0", facts=FACTS)
    assert client.get("/bodypart/", headers=HTMX)["HX-Refresh"] == "true"


def test_help_and_overview_lead_to_the_page(client: Client, located: SimpleNamespace) -> None:
    link = '<a href="/bodypart/">body-part regressor</a>'
    assert link in text(client, "/about/")
    assert link in text(client, "/")


def test_also_without_any_and_while_one_learns_the_overview_leads_to_the_page(client: Client) -> None:
    factories.make_release([factories.make_lesion(x=None, y=None, z=None, location_source="")])
    assert '<a href="/bodypart/">body-part regressor</a> that learns' in text(client, "/")
    factories.make_job(kind="bodypart", state=Job.State.RUNNING)
    assert '<a href="/bodypart/">body-part regressor</a> learns' in text(client, "/")


def test_the_page_tells_model_release_figures_and_findings(client: Client, located: SimpleNamespace) -> None:
    page = text(client)
    for said in (
        "bpr-small-1",
        "demo-1.0",
        "59 series of 70 patients in 700 steps",
        "from the types of 132 lesions",
        "50 % of 9 series of held-out patients by single scores, 100 % smoothed",
        "Phantom hospital",
        "reversed, it says.",
        "are known of phantom patients alone",
    ):
        assert said in page
    assert "All regressors" not in page


def test_figures_measured_on_the_phantom_are_named_so(client: Client, located: SimpleNamespace) -> None:
    phantom = {
        "patients": 10, "volumes": 18, "monotonic": 0.3, "smoothed_monotonic": 1.0, "rank_correlation": 0.98314,
        "landmark_error": 0.0031, "landmarks": 7,
    }  # fmt: skip
    LocationModel.objects.update(facts={**FACTS, "phantom": phantom})
    page = text(client)
    assert "30 % of 18 phantom volumes by single scores, 100 % smoothed" in page
    assert "0.9831 of single scores with true height, phantom" in page
    assert "0.00310 (LMSE) over 7 vertebral and pelvic landmarks, phantom" in page


@pytest.mark.parametrize(
    ("finding", "sentence"),
    [
        ("too few", "Too few slices, or too short a stretch, to check a location; none is given."),
        ("", "not known yet"),
    ],
)
def test_a_lesion_without_a_place_says_why(
    client: Client, located: SimpleNamespace, finding: str, sentence: str
) -> None:
    patient = factories.make_patient(collection=located.lesions[0].slice.series.study.patient.collection)
    series = factories.make_series(study=factories.make_study(patient=patient))
    place = factories.make_slice(series=series)
    lesion = factories.make_lesion(slice=place, x=None, y=None, z=None, location_source="")
    factories.make_release([lesion])
    if finding:
        SeriesLocation.objects.create(series=series, model=located.model, finding=finding, sentence=sentence)
    assert sentence in text(client, f"/lesions/{lesion.pk}/")
    if finding:
        other = factories.make_slice(series=series)
        SliceLocation.objects.create(slice=other, model=located.model, score=0.5, z=0.5)
        assert "not known yet" in text(client, f"/lesions/{lesion.pk}/"), "the lesion came after the model had looked"
        LesionLocation.objects.create(lesion=lesion, model=located.model, unknown="height")
        assert "this slice shows no body" in text(client, f"/lesions/{lesion.pk}/")


def test_the_strip_shows_each_height_in_different_patients(client: Client, located: SimpleNamespace) -> None:
    rows = {row.z: row.slices for row in client.get("/bodypart/").context["strip"]}
    assert list(rows) == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    shown = rows[0.5]
    assert len({place.series.study.patient_id for place, _ in shown}) == len(shown) == 3
    assert all(z == pytest.approx(0.5) and place.number == 6 for place, z in shown)
    assert rows[0.9] == []
    assert "No slice has this score" in text(client)


def test_the_strip_shows_slices_that_stand_at_a_height_by_themselves_as_well(
    client: Client, located: SimpleNamespace
) -> None:
    first = located.lesions[0].slice
    SliceLocation.objects.filter(slice=first).update(score=0.6)
    (shown,) = (row.slices for row in client.get("/bodypart/").context["strip"] if row.z == 0.5)
    numbers = {place.series_id: place.number for place, _ in shown}
    assert numbers[first.series_id] == 5, "slice 6 lies at 0.5 along its series, and looks like another height"
    assert sorted(numbers.values()) == [5, 6, 6]
    assert shown[-1][0].series_id == first.series_id


def test_a_model_of_few_patients_says_what_more_would_teach(client: Client, located: SimpleNamespace) -> None:
    assert "Fewer than 40 patients" not in text(client)
    LocationModel.objects.update(facts={**FACTS, "patients": 14})
    assert "Fewer than 40 patients" in text(client)
    LocationModel.objects.update(facts={name: fact for name, fact in FACTS.items() if name != "patients"})
    assert "Fewer than 40 patients" not in text(client), "an older record does not say how many"


def test_curves_are_those_of_held_out_patients(client: Client, located: SimpleNamespace) -> None:
    assert client.get("/bodypart/").context["curves"] == []
    first = located.lesions[0].slice.series
    factories.make_release([located.lesions[0]], name="other-1.0", split=Split.TEST)
    LocationModel.objects.update(trained_on="other-1.0")
    (curve,) = client.get("/bodypart/").context["curves"]
    assert (curve.folder, curve.split, curve.finding) == (first.folder, "test", "fine")
    assert curve.mm == [5.0 * step for step in range(11)]
    assert curve.smoothed[-1] is None
    assert curve.single[0] == pytest.approx(0.452)


def test_a_published_dataset_is_compared(client: Client, located: SimpleNamespace) -> None:
    collection = factories.make_collection(title="DeepLesion", kind=Collection.Kind.PUBLISHED)
    for number, z in ((1, 0.50), (2, 0.53), (3, 0.58)):
        patient = factories.make_patient(collection=collection, number=number)
        place = factories.make_slice(series=factories.make_series(study=factories.make_study(patient=patient)))
        lesion = factories.make_lesion(slice=place, x=0.4, y=0.5, z=z, location_source="published")
        LesionLocation.objects.create(lesion=lesion, model=located.model, x=0.4, y=0.5, z=0.5)
    factories.make_release(Lesion.objects.filter(location_source="published"), name="published-1.0")
    (found,) = client.get("/bodypart/").context["differences"]
    assert (found.collection, found.lesions) == ("DeepLesion", 3)
    axis, median, worst = found.axes[2]
    assert (axis, round(median, 6), round(worst, 6)) == ("z", 0.03, 0.08)
    assert "median difference from the published places of 3 lesions" in text(client)


def test_what_an_account_may_not_see_is_neither_counted_nor_named(
    client: Client, client_of: Callable[[str], Client], located: SimpleNamespace
) -> None:
    """A hospital that published nothing, and the draft that the regressor was trained on."""
    private = factories.make_collection(slug="private", title="Private hospital", kind=Collection.Kind.HOSPITAL)
    patient = factories.make_patient(collection=private)
    series = factories.make_series(study=factories.make_study(patient=patient))
    SeriesLocation.objects.create(series=series, model=located.model, finding="fine", sentence="fine, it says.")
    lesion = factories.make_lesion(slice=factories.make_slice(series=series), location_source="published")
    LesionLocation.objects.create(lesion=lesion, model=located.model, x=0.4, y=0.5, z=0.5)
    Collection.objects.filter(pk=private.pk).update(kind=Collection.Kind.PUBLISHED, location_model=located.model)
    Release.objects.create(name="draft-1.0", collection=private)
    LocationModel.objects.update(trained_on="draft-1.0")
    for reader, sees in ((client, False), (client_of("researcher"), False), (client_of("curator"), True)):
        answer = reader.get("/bodypart/")
        page = answer.content.decode()
        assert [count for finding, _, count in answer.context["findings"] if finding == "fine"] == [3 if sees else 2]
        assert ("Private hospital" in page) is sees
        assert ('href="/releases/draft-1.0/"' in page) is sees
        assert "draft-1.0" in page
    other = LocationModel.objects.create(version="bpr-small-2", trained_on="gone-1.0")
    SeriesLocation.objects.create(series=series, model=other, finding="fine", sentence="fine, it says.")
    assert "It has located nothing that you may see" in text(client)
    assert 'href="/releases/gone-1.0/"' not in text(client_of("curator"))


def test_several_models_are_listed_and_each_has_its_page(client: Client, located: SimpleNamespace) -> None:
    LocationModel.objects.create(version="bpr-small-2", trained_on="demo-1.0")
    newest = text(client)
    assert "It has located nothing that you may see" in newest, "the newest comes first"
    assert "nobody was scanned" not in newest, "nobody was looked at"
    page = text(client, "/bodypart/bpr-small-1/")
    assert "All regressors" in page
    assert 'href="/bodypart/bpr-small-2/"' in page
    assert client.get("/bodypart/bpr-small-3/").status_code == 404


def test_choosing_another_model_shows_at_once(client: Client, located: SimpleNamespace) -> None:
    assert "3 placed by" in text(client, "/")
    other = LocationModel.objects.create(version="bpr-small-2", trained_on="demo-1.0")
    choose(collection=located.release.collection, model=other)
    assert "has a location yet" in text(client, "/")
    choose(collection=located.release.collection, model=located.model)
    assert "bpr-small-1" in text(client, "/")


def test_number_of_queries(
    client: Client, located: SimpleNamespace, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client.get("/bodypart/")
    with django_assert_num_queries(5):
        client.get("/bodypart/")
