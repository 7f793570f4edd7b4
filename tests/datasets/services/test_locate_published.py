"""Locating a published dataset, and what releases keep of places."""

import pytest

from datasets.models import (
    Collection,
    Lesion,
    LesionLocation,
)
from datasets.services import release as releases
from datasets.services.locate import locate
from datasets.services.release_contents import csv_lines
from tests.datasets.locating import Scores, body, marked, model, saying, scorer
from tests.factories import make_collection, make_lesion, make_patient, make_series, make_slice, make_study

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def data_dir(settings, tmp_path):
    settings.DATA_DIR = tmp_path


@pytest.fixture
def collection():
    return make_collection()


@pytest.fixture
def lesion(collection):
    return marked(collection)


def test_a_release_made_afterwards_carries_the_places_and_keeps_their_source(collection):
    for number in (1, 2, 3):
        series = make_series(study=make_study(patient=make_patient(collection=collection)), columns=128, rows=128)
        place = make_slice(series=series, pixels=body(), number=number)
        make_lesion(slice=place, centre=(63.5, 63.5), x=None, y=None, z=None)
    before = releases.create("before", collection, split=(34, 33, 33))
    locate(collection=collection, model=model(), score=scorer)
    after = releases.create("after", collection, split=(34, 33, 33))
    locate(collection=collection, model=model("bpr-b"), score=saying(Scores(z=dict.fromkeys((1, 2, 3), 0.9))))
    assert set(Lesion.objects.values_list("z", "location_source")) == {(0.9, "bpr-b")}, "where they lie by now"
    assert {line.split('"')[7] for line in csv_lines(before) if line[0].isdigit()} == {"NaN, NaN, NaN"}
    heights = [line.split('"')[7].rsplit(", ", 1)[1] for line in csv_lines(after) if line[0].isdigit()]
    assert sorted(heights) == ["0.51", "0.52", "0.53"]
    before.refresh_from_db()
    after.refresh_from_db()
    assert (before.location_sources, after.location_sources) == ([], ["bpr-a"])


def test_a_published_dataset_keeps_its_own_locations(collection, lesion):
    Collection.objects.filter(pk=collection.pk).update(kind=Collection.Kind.PUBLISHED)
    Lesion.objects.filter(pk=lesion.pk).update(x=0.1, y=0.2, z=0.3, location_source="published")
    collection.refresh_from_db()
    locate(collection=collection, model=model(), score=scorer)
    lesion.refresh_from_db()
    assert (lesion.x, lesion.z, lesion.location_source) == (0.1, 0.3, "published")
    assert LesionLocation.objects.get().z == pytest.approx(0.53), "the model's stands beside it"
    collection.refresh_from_db()
    assert collection.location_model is None


@pytest.mark.parametrize("source", ["published", "bpr-b"])
def test_a_published_dataset_keeps_the_places_it_has_and_gets_those_it_lacks(collection, lesion, source):
    """Also where its places are those of a regressor that is known here: they came with the dataset."""
    Collection.objects.filter(pk=collection.pk).update(kind=Collection.Kind.PUBLISHED)
    collection.refresh_from_db()
    series = make_series(study=lesion.slice.series.study, columns=128, rows=128)
    came = {"x": 0.1, "y": 0.2, "z": 0.3, "location_source": source}
    placed = make_lesion(slice=make_slice(series=series, pixels=body()), centre=(63.5, 63.5), **came)
    for known, z in ((model(), 0.53), (model("bpr-b"), 0.9)):
        locate(collection=collection, model=known, score=scorer if z == 0.53 else saying(Scores(z={3: z, 1: z})))
        lesion.refresh_from_db()
        placed.refresh_from_db()
        assert (lesion.z, lesion.location_source) == (pytest.approx(z), known.version)
        assert (placed.x, placed.z, placed.location_source) == (0.1, 0.3, source)
        assert collection.location_model == known


def test_a_dataset_that_was_published_without_locations_carries_the_models(collection, lesion):
    Collection.objects.filter(pk=collection.pk).update(kind=Collection.Kind.PUBLISHED)
    collection.refresh_from_db()
    locate(collection=collection, model=model(), score=scorer)
    lesion.refresh_from_db()
    assert (lesion.z, lesion.location_source) == (pytest.approx(0.53), "bpr-a")
    late = make_lesion(slice=lesion.slice, centre=(40.5, 40.5), x=0.1, y=0.2, z=0.3, location_source="published")
    locate(collection=collection, model=model("bpr-b"), score=saying(Scores(z={3: 0.9})))
    for each in (lesion, late):
        each.refresh_from_db()
    assert (lesion.z, lesion.location_source) == (0.9, "bpr-b"), "a newer model places it anew"
    assert (late.z, late.location_source) == (0.3, "published"), "what came with a place keeps it"
