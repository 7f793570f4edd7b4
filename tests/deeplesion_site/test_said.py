"""What each regressor said of a lesion and along its series: on the lesion's page, on the map's card, and over the
API."""

from types import SimpleNamespace

import pytest
from django.test import Client

from datasets.models import LesionLocation, LocationModel, SeriesLocation, SliceLocation
from datasets.selectors.said import SaidOfSlice
from deeplesion_site.dashboard.height_drawing import draw
from tests import factories

pytestmark = pytest.mark.django_db
FINE = "Scores follow the slices from head to feet."


@pytest.fixture
def placed() -> SimpleNamespace:
    """A published lesion on slice 20 that two models have placed and one could not; slices 18 to 22 are stored."""
    patient = factories.make_patient(sex="F")
    series = factories.make_series(study=factories.make_study(patient=patient, age=62))
    slices = {n: factories.make_slice(series=series, number=n, stored=True) for n in range(18, 23)}
    lesion = factories.make_lesion(slice=slices[20], type=5, x=0.41, y=0.52, z=0.63, location_source="bpr-2")
    factories.make_release([lesion], name="first-1.0")
    for name, finding, z in (("bpr-1", "fine", 0.6), ("bpr-2", "fine", 0.63), ("bpr-3", "shuffled", None)):
        model = LocationModel.objects.create(version=name, trained_on="first-1.0")
        sentence = FINE if z else "The slices are out of order; no location is given."
        SeriesLocation.objects.create(series=series, model=model, finding=finding, sentence=sentence)
        for number, each in slices.items():
            height = None if z is None else z + 0.01 * (number - 20)
            SliceLocation.objects.create(slice=each, model=model, score=0.5 + 0.012 * (number - 20), z=height)
        known = {"x": 0.41, "y": 0.52, "z": z} if z else {"unknown": LesionLocation.Unknown.HEIGHT}
        LesionLocation.objects.create(lesion=lesion, model=model, **known)
    return SimpleNamespace(lesion=lesion, series=series)


def test_a_lesion_tells_what_each_regressor_said_newest_first(client: Client, placed: SimpleNamespace) -> None:
    said = client.get(f"/api/v1/lesions/{placed.lesion.pk}/locations/").json()
    assert [(row["model"], row["chosen"], row["z"]) for row in said] == [
        ("bpr-3", False, None),
        ("bpr-2", True, 0.63),
        ("bpr-1", False, 0.6),
    ]
    place = {"x": 0.41, "y": 0.52, "z": 0.63, "unknown": ""}
    assert said[1] == place | {"model": "bpr-2", "chosen": True, "score": 0.5, "finding": "fine", "sentence": FINE}
    assert (said[0]["unknown"], said[0]["finding"]) == ("its slice has no height", "shuffled")


def test_a_series_tells_the_scores_of_the_slices_that_may_be_seen(client: Client, placed: SimpleNamespace) -> None:
    factories.make_slice(series=placed.series, number=40, stored=True)
    said = client.get(f"/api/v1/series/{placed.series.pk}/locations/").json()
    assert [(row["model"], row["finding"]) for row in said] == [
        ("bpr-3", "shuffled"),
        ("bpr-2", "fine"),
        ("bpr-1", "fine"),
    ]
    assert said[1]["slices"][0] == {"slice": 18, "score": 0.476, "z": 0.61}
    assert said[0]["slices"][0] == {"slice": 18, "score": 0.476, "z": None}
    assert [row["slice"] for row in said[1]["slices"]] == [18, 19, 20, 21, 22]


def test_a_parameter_that_is_none_is_refused(client: Client, placed: SimpleNamespace) -> None:
    answer = client.get(f"/api/v1/series/{placed.series.pk}/locations/?model=bpr-1")
    assert answer.status_code == 400
    assert "unknown parameter" in answer.content.decode()


def test_the_page_of_a_lesion_shows_places_and_heights_by_regressor(client: Client, placed: SimpleNamespace) -> None:
    page = client.get(f"/lesions/{placed.lesion.pk}/").content.decode()
    assert page.count('href="/bodypart/bpr-') == 3
    assert page.index("bpr-3") < page.index('<a href="/bodypart/bpr-2/">bpr-2</a> <span class="badge">used</span>')
    assert "series shuffled" in page
    assert "its slice has no height" in page
    assert "Heights along the series by bpr-2: slice 18 to 22, z 0.476 to 0.650" in page


def test_a_lesion_that_no_regressor_has_seen_has_no_such_card(client: Client, placed: SimpleNamespace) -> None:
    other = factories.make_lesion(x=0.1, y=0.2, z=0.3, location_source="published")
    factories.make_release([other], name="other-1.0")
    assert "What the regressors said" not in client.get(f"/lesions/{other.pk}/").content.decode()
    assert client.get(f"/api/v1/lesions/{other.pk}/locations/").json() == []


def test_the_card_of_the_map_tells_who_where_and_by_whom(client: Client, placed: SimpleNamespace) -> None:
    card = client.get(f"/lesions/{placed.lesion.pk}/card/").content.decode()
    for fact in ("female 62", "x 0.410, y 0.520, z 0.630", "by bpr-2"):
        assert fact in card


def test_the_drawing_breaks_its_line_where_no_height_is_known_and_leaves_a_flat_series_flat() -> None:
    said = [SaidOfSlice(n, 0.5, None if n == 3 else 0.5 + n / 1000) for n in range(1, 6)]
    drawn = draw(said, 2)
    assert drawn is not None
    assert (drawn.line.count("M"), drawn.line.count("L"), drawn.dots.count("M")) == (2, 2, 5)
    assert (drawn.first, drawn.last, drawn.key) == (1, 5, 25.0)
    assert drawn.bottom - drawn.top == pytest.approx(0.05)
    assert draw(said[:1], 1) is None
    assert draw([SaidOfSlice(n, None, None) for n in (1, 2)], 1) is None
