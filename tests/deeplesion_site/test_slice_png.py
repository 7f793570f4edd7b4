"""Slices as pictures: window, crop, size, cache, and what happens without a file."""

from io import BytesIO
from types import SimpleNamespace

import numpy as np
import pytest
from django.db import connection
from django.test import Client
from PIL import Image

from datasets import frozen
from datasets.models import Slice
from datasets.storage import slice_storage
from tests import factories


@pytest.fixture
def place(db: None) -> Slice:
    """Publish a slice whose HU are its column minus 200."""
    series = factories.make_series(columns=400, rows=300)
    pixels = np.tile(np.arange(400) - 200, (300, 1))
    found = factories.make_slice(series=series, number=7, pixels=pixels, window_low=-100.0, window_high=100.0)
    factories.make_release([factories.make_lesion(slice=found, centre=(200, 150))])
    return found


def picture(client: Client, place: Slice, query: str = "") -> np.ndarray:
    answer = client.get(f"/slices/{place.pk}.png?{query}")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "image/png"
    with Image.open(BytesIO(answer.content)) as image:
        assert image.mode == "L"
        return np.asarray(image)


def test_the_slices_own_window_is_the_default(client: Client, place: Slice) -> None:
    shown = picture(client, place)
    assert shown.shape == (300, 400)
    assert shown[0, 100] == 0
    assert shown[0, 300] == 255
    assert abs(int(shown[0, 200]) - 128) <= 1


def test_a_window_maps_its_ends_to_black_and_white(client: Client, place: Slice) -> None:
    shown = picture(client, place, "low=0&high=50")
    assert (shown[:, :201] == 0).all()
    assert (shown[:, 250:] == 255).all()


def test_a_crop_shows_these_pixels_and_air_around_the_image(client: Client, place: Slice) -> None:
    whole = picture(client, place)
    assert (picture(client, place, "crop=100,50,180,90") == whole[50:90, 100:180]).all()
    over = picture(client, place, "crop=-20,-10,60,30&low=-1024&high=1000")
    assert over.shape == (40, 80)
    assert (over[:10] == 0).all()
    assert (over[:, :20] == 0).all()
    assert (picture(client, place, "crop=900,900,950,950&low=-1024&high=1000") == 0).all()


def test_size_is_the_longer_side(client: Client, place: Slice) -> None:
    assert picture(client, place, "size=100").shape == (75, 100)
    assert picture(client, place, "crop=0,0,50,100&size=200").shape == (200, 100)


@pytest.mark.parametrize(
    "query",
    [
        "low=5&high=5",
        "low=9&high=1",
        "low=a",
        "low=nan",
        "high=inf",
        "high=1e9",
        "crop=1,2,3",
        "crop=a,b,c,d",
        "crop=10,10,5,5",
        "crop=0,0,99999,99999",
        "crop=nan,0,10,10",
        "size=0",
        "size=5000",
        "size=-1",
        "size=big",
    ],
)
def test_nonsense_is_refused_in_a_sentence(client: Client, place: Slice, query: str) -> None:
    answer = client.get(f"/slices/{place.pk}.png?{query}")
    assert answer.status_code == 400
    assert answer["Content-Type"].startswith("text/plain")
    assert answer.content.decode().endswith(".")


def test_a_picture_is_kept_until_it_changes(client: Client, place: Slice) -> None:
    first = client.get(f"/slices/{place.pk}.png?low=0&high=80")
    assert "private" in first["Cache-Control"]
    again = client.get(f"/slices/{place.pk}.png?low=0&high=80", headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = client.get(f"/slices/{place.pk}.png?low=0&high=90", headers={"If-None-Match": first["ETag"]})
    assert other.status_code == 200
    # What the database now holds of a published image may have been changed before it did.
    frozen.drop(connection)
    factories.store(place, np.zeros((300, 400)))
    place.save()
    changed = client.get(f"/slices/{place.pk}.png?low=0&high=80", headers={"If-None-Match": first["ETag"]})
    assert changed.status_code == 200


@pytest.mark.parametrize("damage", ["not stored", "missing", "truncated", "not a picture"])
def test_without_a_picture_there_is_a_drawing_that_says_so(client: Client, place: Slice, damage: str) -> None:
    storage = slice_storage(place.series.study.patient.collection)
    if damage == "not stored":
        frozen.drop(connection)
        Slice.objects.filter(pk=place.pk).update(stored=False)
    elif damage == "missing":
        storage.delete(place.path)
    else:
        with open(storage.path(place.path), "rb+") as file:
            file.truncate(600) if damage == "truncated" else file.write(b"no picture at all")
    answer = client.get(f"/slices/{place.pk}.png")
    assert answer.status_code == 404
    assert answer["Content-Type"] == "image/svg+xml"
    assert b"no image stored" in answer.content
    assert answer["Cache-Control"] == "no-store"


def test_slices_outside_a_published_lesions_context_stay_hidden(client: Client, dataset: SimpleNamespace) -> None:
    codes = {
        place.number: client.get(f"/slices/{place.pk}.png").status_code
        for place in dataset.published.slice.series.slices.all()
    }
    assert codes == {18: 200, 19: 200, 20: 200, 21: 200, 40: 404}
