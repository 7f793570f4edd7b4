"""Locating: x and y from the body's outline, z from the slice's score; nothing is invented, nothing overwritten."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from datasets.models import (
    Collection,
    Lesion,
    LesionLocation,
    LocationModel,
    SeriesLocation,
    SliceLocation,
)
from datasets.selectors.locations import state_of_locations, why_unplaced
from datasets.services import locate as locating
from datasets.services import release as releases
from datasets.services.locate import locate
from datasets.services.release_contents import csv_lines
from tests.factories import make_collection, make_lesion, make_patient, make_series, make_slice, make_study

pytestmark = pytest.mark.django_db


@dataclass
class Scores:
    finding: str = "fine"
    sentence: str = "Scores follow the slices from head to feet."
    z: dict[int, float] = field(default_factory=dict)

    def at(self, number):
        return self.z.get(number)

    def single_at(self, number):
        return self.z.get(number)


def scorer(slices, interval):
    """A line from head to feet over the slice numbers, as a regressor would give it."""
    return Scores(z={number: 0.5 + 0.01 * number for number, _ in slices})


def saying(scores):
    """A scorer that looks at all slices and says the same of each series."""

    def score(slices, interval):
        list(slices)
        return scores

    return score


def body(size=128):
    """A square body, columns and rows 24..103, in air."""
    hu = np.full((size, size), -1000.0)
    hu[24:104, 24:104] = 40
    return hu


@pytest.fixture(autouse=True)
def data_dir(settings, tmp_path):
    settings.DATA_DIR = tmp_path


@pytest.fixture
def collection():
    return make_collection()


@pytest.fixture
def lesion(collection):
    series = make_series(study=make_study(patient=make_patient(collection=collection)), columns=128, rows=128)
    slices = [make_slice(series=series, pixels=body()) for _ in range(6)]
    return make_lesion(slice=slices[2], centre=(63.5, 63.5), x=None, y=None, z=None, location_source="")


def model(version="bpr-a"):
    return LocationModel.objects.create(version=version, trained_on="demo-1.0")


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


def test_a_series_that_stays_unread_ends_the_work(collection, lesion, tmp_path):
    for path in tmp_path.rglob("*.png"):
        path.unlink()
    assert locate(collection=collection, model=model(), score=scorer)["fine"] == 1


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


def test_a_release_made_afterwards_carries_the_places_and_keeps_their_source(collection):
    for number in (1, 2, 3):
        series = make_series(study=make_study(patient=make_patient(collection=collection)), columns=128, rows=128)
        place = make_slice(series=series, pixels=body(), number=number)
        make_lesion(slice=place, centre=(63.5, 63.5), x=None, y=None, z=None)
    before = releases.create("before", collection, split=(34, 33, 33))
    locate(collection=collection, model=model(), score=scorer)
    after = releases.create("after", collection, split=(34, 33, 33))
    locate(collection=collection, model=model("bpr-b"), score=scorer)
    assert {line.split('"')[7] for line in csv_lines(before) if line[0].isdigit()} == {"NaN, NaN, NaN"}
    heights = [line.split('"')[7].rsplit(", ", 1)[1] for line in csv_lines(after) if line[0].isdigit()]
    assert sorted(heights) == ["0.51", "0.52", "0.53"]
    before.refresh_from_db()
    after.refresh_from_db()
    assert (before.location_sources, after.location_sources) == ([], ["bpr-a"])


def test_where_the_scores_make_no_sense_there_is_a_finding_and_no_place(collection, lesion):
    shuffled = Scores("shuffled", "The slices are out of order; no location is given.")
    assert locate(collection=collection, model=model(), score=saying(shuffled)) == {"shuffled": 1, "lesions": 0}
    lesion.refresh_from_db()
    assert (lesion.x, lesion.z, lesion.location_source) == (None, None, "")
    assert SeriesLocation.objects.get().sentence.startswith("The slices are out of order")


def test_a_slice_without_a_body_gives_no_x_and_y_and_so_no_place(collection):
    series = make_series(study=make_study(patient=make_patient(collection=collection)), columns=128, rows=128)
    empty = make_slice(series=series, pixels=np.full((128, 128), -1000.0))
    make_lesion(slice=empty, centre=(63.5, 63.5), x=None, y=None, z=None)
    assert locate(collection=collection, model=model(), score=scorer)["lesions"] == 0


@pytest.fixture
def placeless(collection, lesion):
    """A lesion of each sort that cannot be placed, on slices 7, 8 and 9 of one series, by the word for it."""
    series = lesion.slice.series
    images = {"height": body(), "body": np.full((128, 128), -1000.0), "outside": body()}
    return {
        why: make_lesion(
            slice=make_slice(series=series, pixels=pixels),
            centre=(6.0 if why == "outside" else 63.5, 63.5),
            x=None,
            y=None,
            z=None,
            location_source="",
        )
        for why, pixels in images.items()
    }


def without_height(slices, interval):
    """What `scorer` says, but for slice 7."""
    scores = scorer(slices, interval)
    scores.z.pop(7)
    return scores


def test_why_a_lesion_has_no_place_is_remembered(collection, placeless):
    known = model()
    assert locate(collection=collection, model=known, score=without_height)["lesions"] == 1
    assert {why: LesionLocation.objects.get(lesion=each).unknown for why, each in placeless.items()} == {
        why: why for why in placeless
    }
    for each in placeless.values():
        each.refresh_from_db()
        assert (each.x, each.z, each.location_source) == (None, None, "")
    assert why_unplaced(placeless["outside"]) == "It lies far outside the body that was found on its slice."
    assert why_unplaced(placeless["body"]) == "The series is placed, but on this slice no body's outline was found."


def test_what_could_not_be_placed_is_looked_at_again_by_a_newer_model_alone(collection, placeless, monkeypatch):
    known = model()
    locate(collection=collection, model=known, score=without_height)
    with monkeypatch.context() as patch:
        patch.setattr(locating, "_read", lambda series, image: pytest.fail("it was read again"))
        assert locate(collection=collection, model=known, score=without_height) == {}
    assert locate(collection=collection, model=model("bpr-b"), score=scorer) == {"fine": 1, "lesions": 2}
    placeless["height"].refresh_from_db()
    assert placeless["height"].location_source == "bpr-b"
    assert LesionLocation.objects.filter(model=known).exclude(unknown="").count() == 3, "what the older said is kept"


def test_a_lesion_whose_image_comes_back_is_placed(collection, lesion, tmp_path):
    known, image = model(), next(tmp_path.rglob("003.png"))
    content = image.read_bytes()
    image.unlink()
    locate(collection=collection, model=known, score=scorer)
    assert LesionLocation.objects.get().unknown == LesionLocation.Unknown.UNREADABLE
    image.write_bytes(content)
    locate(collection=collection, model=known, score=scorer)
    lesion.refresh_from_db()
    assert lesion.z == pytest.approx(0.53)


def test_a_lesion_far_outside_the_body_that_was_found_gets_no_place(collection):
    """As where the table survives the opening and the patient does not: x of 0 would be a place that nobody saw."""
    series = make_series(study=make_study(patient=make_patient(collection=collection)), columns=128, rows=128)
    place = make_slice(series=series, pixels=body())
    for number, column in enumerate((18.0, 6.0), start=1):
        make_lesion(slice=place, number=number, centre=(column, 63.5), x=None, y=None, z=None)
    assert locate(collection=collection, model=model(), score=scorer)["lesions"] == 1
    assert list(Lesion.objects.order_by("number").values_list("x", flat=True)) == [0.0, None]


def test_a_missing_file_is_left_out(collection, lesion, tmp_path):
    seen = []

    def watching(slices, interval):
        seen.extend(number for number, _ in slices)
        return Scores()

    next(tmp_path.rglob("001.png")).unlink()
    locate(collection=collection, model=model(), score=watching)
    assert seen == [2, 3, 4, 5, 6]


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
