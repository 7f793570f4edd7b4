"""Locating: x and y from the body's outline, z from the slice's score; nothing is invented, nothing overwritten."""

import pytest

from datasets.models import (
    Collection,
    LesionLocation,
    LocationModel,
    SliceLocation,
)
from datasets.selectors.locations import state_of_locations
from datasets.services.locate import locate
from tests.datasets.locating import Scores, body, marked, model, saying, scorer
from tests.factories import make_collection, make_lesion, make_series, make_slice

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


def test_a_lesion_gets_its_place_and_the_model_that_gave_it(collection, lesion):
    counts = locate(collection=collection, model=model(), score=scorer)
    lesion.refresh_from_db()
    assert counts == {"fine": 1, "lesions": 1}
    assert lesion.location_source == "bpr-a"
    assert lesion.z == pytest.approx(0.53)
    assert lesion.x == pytest.approx(0.5, abs=0.02), "the middle of the body"
    assert 0.4 < lesion.y < 0.65
    assert SliceLocation.objects.count() == 6


def test_locating_again_adds_nothing_and_a_newer_model_keeps_what_the_older_said(collection, lesion):
    first = model()
    locate(collection=collection, model=first, score=scorer)
    assert locate(collection=collection, model=first, score=scorer) == {}
    locate(collection=collection, model=model("bpr-b"), score=saying(Scores(z={3: 0.9})))
    lesion.refresh_from_db()
    assert (lesion.z, lesion.location_source) == (0.9, "bpr-b")
    assert [round(place.z, 2) for place in LesionLocation.objects.order_by("pk")] == [0.53, 0.9]
    locate(collection=collection, model=first, score=scorer)
    lesion.refresh_from_db()
    assert (round(lesion.z, 2), lesion.location_source) == (0.53, "bpr-a"), "an older model can be chosen again"


def test_a_model_that_knows_nothing_of_a_lesion_leaves_no_place_of_another_model(collection, lesion):
    locate(collection=collection, model=model(), score=scorer)
    locate(collection=collection, model=model("bpr-b"), score=saying(Scores("unclear")))
    lesion.refresh_from_db()
    assert (lesion.x, lesion.z, lesion.location_source) == (None, None, "")
    said = LesionLocation.objects.order_by("pk").values_list("model__version", "unknown")
    assert list(said) == [("bpr-a", ""), ("bpr-b", "height")], "what the older one said is kept"


def test_what_was_harvested_since_is_scored_and_placed(collection, lesion):
    known = model()
    locate(collection=collection, model=known, score=scorer)
    late = make_lesion(slice=lesion.slice, centre=(40.5, 40.5), x=None, y=None, z=None)
    assert locate(collection=collection, model=known, score=scorer) == {"lesions": 1}, "no series is scored anew"
    late.refresh_from_db()
    assert late.z == pytest.approx(0.53)
    make_slice(series=lesion.slice.series, pixels=body())
    assert locate(collection=collection, model=known, score=scorer) == {"fine": 1, "lesions": 2}
    assert SliceLocation.objects.count() == 7
    assert LesionLocation.objects.count() == 2


def test_what_is_harvested_meanwhile_is_scored_and_placed_as_well(collection, lesion):
    """Whoever asks for the same job while it runs is answered with it."""
    told = []

    def progress(done, total):
        told.append((done, total))
        if len(told) == 1:
            series = make_series(study=lesion.slice.series.study, columns=128, rows=128)
            make_lesion(slice=make_slice(series=series, pixels=body()), centre=(63.5, 63.5), x=None, y=None, z=None)

    counts = locate(collection=collection, model=model(), score=scorer, progress=progress)
    assert counts == {"fine": 2, "lesions": 2}
    assert told == [(0, 1), (1, 2), (2, 2)]


def test_a_lesion_follows_its_series_when_more_of_it_is_scored(collection, lesion):
    known = model()
    locate(collection=collection, model=known, score=saying(Scores(z={3: 0.4})))
    make_slice(series=lesion.slice.series, pixels=body())
    locate(collection=collection, model=known, score=saying(Scores(z={3: 0.6})))
    lesion.refresh_from_db()
    assert (lesion.z, lesion.location_source) == (0.6, "bpr-a")
    assert lesion.z == LesionLocation.objects.get().z


def test_what_is_remembered_of_places_ends_when_a_model_has_looked_again(collection, lesion):
    """Also where the same model takes a place away, and where a dataset keeps those it was published with."""
    known, states = model(), [state_of_locations()]
    locate(collection=collection, model=known, score=scorer)
    states.append(state_of_locations())
    make_slice(series=lesion.slice.series, pixels=body())
    locate(collection=collection, model=known, score=saying(Scores("unclear")))
    lesion.refresh_from_db()
    assert lesion.z is None
    states.append(state_of_locations())
    collection.kind = Collection.Kind.PUBLISHED
    collection.save()
    locate(collection=collection, model=known, score=scorer)
    states.append(state_of_locations())
    assert len(set(states)) == len(states)


def test_places_that_nobody_carries_yet_change_nothing_that_is_remembered(collection, lesion):
    """What is remembered while series are scored would else outlive the moment in which lesions get their places."""
    locate(collection=collection, model=model(), score=scorer)
    before = state_of_locations()

    class Broken(Exception):
        pass

    def stop(done, total):
        if done == 1:
            raise Broken

    for _ in range(2):
        series = make_series(study=lesion.slice.series.study, columns=128, rows=128)
        make_lesion(slice=make_slice(series=series, pixels=body()), centre=(63.5, 63.5), x=None, y=None, z=None)
    with pytest.raises(Broken):
        locate(collection=collection, model=LocationModel.objects.get(), score=scorer, progress=stop)
    assert state_of_locations() == before
