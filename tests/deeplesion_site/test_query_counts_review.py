"""How many queries the pages and lists of a curator take, whatever the number of rows."""

from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from tests import factories

QUERIES = {
    "/review/": 11,
    "/review/?kind=pairs": 11,
    "/review/?state=judged": 11,
    "/collections/hospital/report/": 9,
    "/collections/hospital/report.csv": 10,
    "/api/v1/reviews/": 4,
    "/api/v1/proposals/": 4,
}


@pytest.fixture(params=[1, 12], ids=["one of each", "twelve of each"])
def queue(request: pytest.FixtureRequest, db: None) -> None:
    """Flagged lesions, proposed pairs, verdicts and annotations without a lesion."""
    collection = factories.make_collection(slug="hospital")
    reviewer = factories.make_user("curator")
    small = [{"reason": "too small", "value": 30.0, "threshold": 35.0}]
    for number in range(request.param):
        patient = factories.make_patient(collection=collection, number=number + 1)
        place = factories.make_slice(series=factories.make_series(study=factories.make_study(patient=patient)))
        first, second, judged, _ = (
            factories.make_lesion(slice=place, possibly_noisy=True, noise_reasons=small) for _ in range(4)
        )
        factories.make_proposal(first, second)
        factories.make_review(lesion=judged, reviewer=reviewer)
        factories.make_annotation(collection=collection, reason="not_recist", tool="line", year=2000 + number)


@pytest.mark.parametrize("address", QUERIES)
def test_number_of_queries(
    address: str, client_of: Callable[[str], Client], queue: None, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = client_of("curator")
    with django_assert_num_queries(QUERIES[address]):
        assert client.get(address).status_code == 200
