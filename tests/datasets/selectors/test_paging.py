"""Pages by key."""

import base64
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datasets.models import Lesion
from datasets.selectors.paging import LESION_ORDERS, BadCursor, beside, page
from tests import factories


@pytest.fixture
def lesions(db: None) -> list[Lesion]:
    series = [factories.make_series() for _ in range(2)]
    return [
        factories.make_lesion(slice=factories.make_slice(series=series[number % 2]), long_px=20.0 + number % 3)
        for number in range(11)
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(order=st.sampled_from(sorted(LESION_ORDERS)), size=st.integers(1, 12))
def test_walking_there_and_back_shows_the_same(lesions: list[Lesion], order: str, size: int) -> None:
    fields = LESION_ORDERS[order]
    rows = Lesion.objects.select_related("slice__series__study__patient")
    whole = list(rows.order_by(*fields))
    there, cursor, starts = [], "", []
    while True:
        found = page(rows, order=fields, size=size, cursor=cursor)
        starts.append(found.start)
        there.append(found.items)
        if found.next is None:
            break
        cursor = found.next
    assert [lesion for items in there for lesion in items] == whole
    assert starts == list(range(1, 12, size))
    back = [found.items]
    while found.previous:
        found = page(rows, order=fields, size=size, cursor=found.previous)
        back.append(found.items)
    assert back[::-1] == there
    assert found.start == 1


def test_an_empty_list_has_one_empty_page(db: None) -> None:
    found = page(Lesion.objects.all(), order=("id",), size=5)
    assert (found.items, found.start, found.end, found.next, found.previous) == ([], 0, 0, None, None)


def _cursor(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "é",
        "!!!!",
        *map(_cursor, ([], {}, [0, 1], [0, 1, 2, 3], [2, 1, 5], [0, 0, 5], [0, 1, "5"], [0, 1, True], [0, 1, 2**63])),
    ],
)
def test_a_cursor_that_was_not_given_out_is_refused(db: None, cursor: str) -> None:
    with pytest.raises(BadCursor):
        page(Lesion.objects.all(), order=("id",), size=5, cursor=cursor)


def test_neighbours_of_every_lesion(lesions: list[Lesion]) -> None:
    order = LESION_ORDERS["-long_mm"]
    whole = list(Lesion.objects.order_by(*order))
    for index, lesion in enumerate(whole):
        before, after = beside(Lesion.objects.all(), lesion, order)
        assert before == (whole[index - 1] if index else None)
        assert after == (whole[index + 1] if index + 1 < len(whole) else None)
