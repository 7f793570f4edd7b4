"""Patients are asked for by release and split, as lesions are."""

from collections.abc import Callable

import pytest
from django.test import Client

from datasets.models import Split
from tests import factories

PATIENTS = "/api/v1/patients/"


@pytest.fixture
def releases(db: None) -> None:
    """Publish patients 1 and 2 for training, 3 for testing, patient 1 in another release for testing; draft 4."""
    collection = factories.make_collection(slug="many")
    lesions = []
    for number in (1, 2, 3, 4):
        patient = factories.make_patient(collection=collection, number=number)
        series = factories.make_series(study=factories.make_study(patient=patient))
        lesions.append(factories.make_lesion(slice=factories.make_slice(series=series)))
    factories.make_release(lesions[:2], name="train-1.0")
    factories.make_release(lesions[2:3], name="test-1.0", split=Split.TEST)
    factories.make_release(lesions[:1], name="again-1.0", split=Split.TEST)
    factories.make_release(lesions[3:], name="draft-1.0", published=False)


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", [1, 2, 3]),
        ("release=train-1.0", [1, 2]),
        ("split=test", [1, 3]),
        ("split=train,test", [1, 2, 3]),
        ("release=train-1.0&split=test", []),
        ("release=again-1.0&split=3", [1]),
    ],
)
def test_patients_of_a_release_and_split(client: Client, releases: None, query: str, numbers: list[int]) -> None:
    found = client.get(f"{PATIENTS}?{query}").json()["results"]
    assert [row["number"] for row in found] == numbers


def test_a_draft_is_a_release_to_those_alone_who_see_it(
    client_of: Callable[[str], Client], client: Client, releases: None
) -> None:
    address = f"{PATIENTS}?release=draft-1.0"
    assert [row["number"] for row in client_of("curator").get(address).json()["results"]] == [4]
    assert client.get(address).json()["errors"][0]["parameter"] == "release"
    assert client.get(f"{PATIENTS}?split=none").json()["errors"][0]["parameter"] == "split"
