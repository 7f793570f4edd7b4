"""What cannot be placed: why is kept, and nothing is invented."""

import numpy as np
import pytest

from datasets.models import (
    Lesion,
    LesionLocation,
    SeriesLocation,
)
from datasets.selectors.locations import why_unplaced
from datasets.services import locate as locating
from datasets.services.locate import locate
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


def test_a_series_that_stays_unread_ends_the_work(collection, lesion, tmp_path):
    for path in tmp_path.rglob("*.png"):
        path.unlink()
    assert locate(collection=collection, model=model(), score=scorer)["fine"] == 1
