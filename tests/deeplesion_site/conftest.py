"""What the tests of pages and API share."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client

from datasets import phantom
from datasets.models import LocationModel, Release, Split
from deeplesion_site.accounts import agreements
from tests import factories
from tests.factories_detection import make_evaluation


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    """Statistics are kept by what is published, and every test publishes anew under the same numbers."""
    cache.clear()


@pytest.fixture
def data_folder(settings: SimpleNamespace, tmp_path: Path) -> Path:
    """Let what is written land in a folder of the test's own."""
    settings.DATA_DIR = tmp_path
    return tmp_path


@pytest.fixture
def client_of(db: None) -> Callable[[str], Client]:
    """Give a client that is signed in with a role; `anonymous` and `nobody` (an account without one) as well."""

    def give(role: str) -> Client:
        client = Client()
        if role != "anonymous":
            client.force_login(factories.make_user("" if role == "nobody" else role))
        return client

    return give


@pytest.fixture
def signer(client_of: Callable[[str], Client]) -> Callable[[], Client]:
    """Give the client of a researcher who has signed for every release that is there by then."""

    def give() -> Client:
        client = client_of("researcher")
        user = User.objects.get(pk=client.session["_auth_user_id"])
        for release in Release.objects.all():
            agreements.sign(user=user, release=release, full_name="R. Reader", institution="Institute", agrees=True)
        return client

    return give


@pytest.fixture
def dataset(db: None) -> SimpleNamespace:
    """Make a collection with a published lesion that has a picture, one in a draft, and one in no release."""
    return make_dataset()


@pytest.fixture
def phantom_dataset(db: None) -> SimpleNamespace:
    """Make the same of the phantom hospital."""
    return make_dataset(slug=phantom.COLLECTION)


def make_dataset(*, slug: str = "hospital") -> SimpleNamespace:
    collection = factories.make_collection(slug=slug, title="Hospital")
    pixels = np.full((512, 512), -1000)
    pixels[200:300, 200:300] = 40
    lesions = []
    for number in (1, 2, 3):
        patient = factories.make_patient(collection=collection, number=number)
        series = factories.make_series(study=factories.make_study(patient=patient))
        place = factories.make_slice(series=series, number=20, pixels=pixels if number == 1 else None)
        lesions.append(factories.make_lesion(slice=place, type=5, x=0.4, y=0.5, z=0.5, location_source="published"))
    first, second, third = lesions
    for number in (18, 19, 21, 40):
        factories.make_slice(series=first.slice.series, number=number, pixels=pixels)
    LocationModel.objects.create(version="bpr-test", trained_on="first-1.0")
    return SimpleNamespace(
        collection=collection,
        published=first,
        drafted=second,
        unpublished=third,
        release=factories.make_release([first], name="first-1.0", split=Split.TEST),
        draft=factories.make_release([second], name="next-0.1", published=False),
        job=factories.make_job(),
        evaluation=make_evaluation(),
    )
