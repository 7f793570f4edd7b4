"""How many queries a page takes, whatever the number of rows: a query per row would show here first."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from datasets.models import Release
from tests import factories

QUERIES = {
    "/": 14,
    "/map.bin": 6,
    "/bodypart/": 2,
    "/lesions/": 8,
    "/lesions/?view=table": 8,
    "/lesions/?release=full-1.0&split=train&type=lung": 8,
    "/statistics/": 19,
    "/releases/": 1,
    "/releases/full-1.0/": 3,
    "/api/v1/lesions/": 2,
    "/api/v1/patients/": 1,
    "/api/v1/studies/": 1,
    "/api/v1/series/": 1,
    "/api/v1/collections/": 1,
    "/api/v1/releases/": 1,
}


@pytest.fixture(params=[1, 12], ids=["one lesion", "twelve lesions"])
def full(request: pytest.FixtureRequest, db: None) -> Release:
    collection = factories.make_collection()
    lesions = []
    for number in range(request.param):
        patient = factories.make_patient(collection=collection, number=number + 1)
        series = factories.make_series(study=factories.make_study(patient=patient))
        follow_up = factories.make_follow_up(patient=patient)
        place = factories.make_slice(series=series, stored=True)
        lesions.append(factories.make_lesion(slice=place, follow_up=follow_up, x=0.5, y=0.5, z=0.5))
    return factories.make_release(lesions, name="full-1.0")


@pytest.mark.parametrize("address", QUERIES)
def test_number_of_queries(
    address: str, client: Client, full: Release, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(QUERIES[address]):
        assert client.get(address).status_code == 200


def test_the_csv_of_lesions_takes_queries_per_thousand(
    signer: Callable[[], Client], full: Release, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = signer()
    # Two for the lines; session, account, its groups, whether a signature is missing, and the log.
    with django_assert_num_queries(7):
        b"".join(client.get("/api/v1/lesions/?format=csv"))


def test_a_lesion_page(client: Client, full: Release, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    lesion = full.members.first().lesion
    # Its neighbours in the list take one query each when they are on the same slice, up to six when they are not.
    with django_assert_max_num_queries(20):
        client.get(f"/lesions/{lesion.pk}/")


def test_statistics_of_published_data_are_computed_once(
    client: Client, full: Release, dataset: SimpleNamespace, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client.get("/statistics/")
    with django_assert_num_queries(5):
        client.get("/statistics/")


def test_what_is_remembered_ends_with_the_next_release(client: Client, full: Release) -> None:
    before = client.get("/").context["headline"].lesions
    factories.make_release([factories.make_lesion()], name="another")
    assert client.get("/").context["headline"].lesions == before + 1
