"""While lesions have no place in the body, the overview says what is being done about it."""

import pytest
from django.test import Client

from datasets.models import LesionLocation, LocationModel
from datasets.services.locate import choose
from tests import factories
from workers.models import Job

pytestmark = pytest.mark.django_db


def unlocated():
    lesion = factories.make_lesion(x=None, y=None, z=None, location_source="")
    factories.make_release([lesion])
    return lesion


def test_without_any_model_the_page_says_how_to_get_one(client: Client) -> None:
    unlocated()
    page = client.get("/").content.decode()
    assert "manage.py train_bodypart" in page
    assert "<canvas" not in page


def test_while_the_regressor_learns_the_page_shows_how_far_it_is(client: Client) -> None:
    unlocated()
    factories.make_job(kind=Job.Kind.BODYPART, state=Job.State.RUNNING, done=90, total=450)
    part = client.get("/locating/").content.decode()
    assert 'value="20"' in part
    assert "hx-get" in part
    assert "HX-Refresh" not in client.get("/locating/").headers


def test_when_lesions_are_located_the_page_loads_anew_and_shows_the_map(client: Client) -> None:
    lesion = unlocated()
    assert "<canvas" not in client.get("/").content.decode()
    factories.make_job(kind=Job.Kind.LOCATE, state=Job.State.SUCCEEDED)
    assert client.get("/locating/").headers["HX-Refresh"] == "true"
    model = LocationModel.objects.create(version="bpr-test", trained_on="x")
    LesionLocation.objects.create(lesion=lesion, model=model, x=0.4, y=0.5, z=0.6)
    choose(collection=lesion.slice.series.study.patient.collection, model=model)
    assert "<canvas" in client.get("/").content.decode()
