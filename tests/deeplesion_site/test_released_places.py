"""A release keeps the places that it was published with; its map shows where its lesions lie by now, and says so."""

from pathlib import Path

import numpy as np
import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from datasets.models import Collection, Lesion, LesionLocation, LocationModel, Release
from datasets.services import release as releases
from datasets.services.locate import choose
from datasets.services.release_contents import csv_lines
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def collection(settings: Settings, tmp_path: Path) -> Collection:
    """Three patients with a lesion each."""
    settings.DATA_DIR = tmp_path
    cache.clear()
    collection = factories.make_collection(title="Our hospital")
    for hu in (0, 20, 40):
        study = factories.make_study(patient=factories.make_patient(collection=collection))
        series = factories.make_series(study=study, columns=64, rows=64)
        image = factories.make_slice(series=series, pixels=np.full((64, 64), hu))
        factories.make_lesion(slice=image, x=None, y=None, z=None, location_source="")
    return collection


def locate(collection: Collection, version: str, z: float) -> None:
    model = LocationModel.objects.create(version=version, trained_on="demo-1.0")
    for lesion in Lesion.objects.all():
        LesionLocation.objects.create(lesion=lesion, model=model, x=0.4, y=0.5, z=z)
    choose(collection=collection, model=model)


def publish(collection: Collection, name: str) -> Release:
    return releases.create(name, collection, split=(34, 33, 33))


def page_of(client: Client, release: Release) -> str:
    return client.get(f"/?data=release:{release.name}").content.decode()


def test_the_map_of_a_release_says_whose_places_it_shows_and_what_the_release_keeps(
    client: Client, collection: Collection
) -> None:
    early = publish(collection, "early-1.0")
    assert "DL_info.csv" not in page_of(client, early), "there is no map to speak of"
    locate(collection, "bpr-a", 0.5)
    late = publish(collection, "late-1.0")
    page = page_of(client, late)
    assert "3 placed by" in page
    assert "DL_info.csv of late-1.0 keeps the places as they were when it was published." in page
    assert "DL_info.csv of early-1.0 has no places: it was published before" in page_of(client, early)
    locate(collection, "bpr-b", 0.7)
    page = page_of(client, late)
    assert 'placed by <a href="/bodypart/bpr-b/">bpr-b</a>' in page
    assert "DL_info.csv of late-1.0 keeps the places that it was published with (bpr-a)." in page
    assert "DL_info.csv" not in client.get("/").content.decode(), "no release is spoken of"
    assert all("0.4, 0.5, 0.5" in line for line in csv_lines(late) if line[0].isdigit())
    assert {row["location"]["z"] for row in client.get("/api/v1/lesions/?release=late-1.0").json()["results"]} == {0.7}


def test_a_release_of_published_places_has_nothing_to_explain(client: Client, collection: Collection) -> None:
    Lesion.objects.update(x=0.1, y=0.2, z=0.3, location_source="published")
    Collection.objects.update(kind=Collection.Kind.PUBLISHED)
    release = publish(Collection.objects.get(), "published-1.0")
    page = page_of(client, release)
    assert "3 as published with the dataset" in page
    assert "DL_info.csv" not in page


def test_the_page_of_a_release_says_what_its_table_knows_of_places(client: Client, collection: Collection) -> None:
    publish(collection, "early-1.0")
    locate(collection, "bpr-a", 0.5)
    publish(collection, "late-1.0")
    early, late = (client.get(f"/releases/{name}-1.0/").content.decode() for name in ("early", "late"))
    assert "<code>Normalized_lesion_location</code> is NaN, for it was published before" in early
    assert "Normalized_lesion_location" not in late
    assert "places in the body: by bpr-a" in late
