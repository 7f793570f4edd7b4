"""Sharing patients out."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets import dl_info
from datasets.services.split import BadShares, quotas, share_out
from tests.datasets.tables import REAL, needs_real_data

FEW = (
    "22244558 345 122377 2455 22344558 35 2335566 224557 2334 22334558 588 2234 12458 44456 47 555 3447 347 577 "
    "22355667"
)
"""The types of the lesions of twenty patients; two have one in a bone."""

SHARES = [(70, 15, 15), (80, 10, 10), (34, 33, 33), (50, 50, 0), (98, 1, 1)]
PATIENTS = st.dictionaries(
    st.integers(1, 5000), st.dictionaries(st.integers(1, 8), st.integers(1, 9), min_size=1), min_size=3, max_size=60
)


@settings(max_examples=30)
@given(PATIENTS, st.sampled_from(SHARES), st.integers(0, 2**31))
def test_every_patient_gets_one_split_and_every_split_its_share(
    patients: dict[int, dict[int, int]], shares: tuple[int, ...], seed: int
) -> None:
    placed = share_out(patients, shares, seed)
    assert placed.keys() == patients.keys()
    counts = Counter(placed.values())
    for place, share in enumerate(shares):
        assert (counts[place] > 0) == (share > 0)
        assert abs(counts[place] - len(patients) * share / 100) < 2


@settings(max_examples=30)
@given(PATIENTS, st.integers(0, 2**31))
def test_the_same_seed_gives_the_same_split_in_whatever_order_patients_come(
    patients: dict[int, dict[int, int]], seed: int
) -> None:
    turned = dict(reversed(patients.items()))
    assert share_out(patients, (70, 15, 15), seed) == share_out(turned, (70, 15, 15), seed)


def test_another_seed_gives_another_split() -> None:
    patients = {number: {number % 8 + 1: 2} for number in range(1, 200)}
    assert share_out(patients, (70, 15, 15), 1) != share_out(patients, (70, 15, 15), 2)


@pytest.mark.parametrize("seed", [0, 1, 2, 2017])
def test_no_split_of_few_patients_lacks_a_type_that_enough_of_them_have(seed: int) -> None:
    patients = {number: Counter(map(int, types)) for number, types in enumerate(FEW.split(), start=1)}
    placed = share_out(patients, (70, 15, 15), seed)
    held = [sum((patients[number] for number in placed if placed[number] == place), Counter()) for place in range(3)]
    lacking = [kind for counts in held for kind in range(1, 9) if not counts[kind]]
    assert lacking == [1], "two patients cannot be in three splits; all else can be in each"
    assert [counts.total() / 96 for counts in held] == pytest.approx([0.70, 0.15, 0.15], abs=0.04)


@pytest.mark.parametrize("seed", range(6))
def test_unknown_is_a_type_that_no_split_lacks_either(seed: int) -> None:
    named = [[-1 if kind == "6" else int(kind) for kind in types] for types in FEW.split()]
    patients = {number: Counter(types) for number, types in enumerate(named, start=1)}
    placed = share_out(patients, (70, 15, 15), seed)
    assert {placed[number] for number, types in patients.items() if -1 in types} == {0, 1, 2}


@pytest.mark.parametrize(
    ("count", "shares", "expected"),
    [
        (10, (70, 15, 15), [7, 2, 1]),
        (3, (98, 1, 1), [1, 1, 1]),
        (6, (50, 50, 0), [3, 3, 0]),
        (674, (70, 15, 15), [472, 101, 101]),
    ],
)
def test_quotas(count: int, shares: tuple[int, ...], expected: list[int]) -> None:
    assert quotas(count, shares) == expected


@pytest.mark.parametrize(
    ("count", "shares", "reason"),
    [
        (10, (70, 15, 16), "do not add up to 100"),
        (10, (110, -5, -5), "hold one below 0"),
        (2, (70, 15, 15), "2 patients cannot be shared out to 3 splits"),
        (1, (70, 15, 15), "^1 patient cannot be shared out to 3 splits"),
        (0, (70, 15, 15), "0 patients"),
    ],
)
def test_shares_that_do_not_work_out_are_refused(count: int, shares: tuple[int, ...], reason: str) -> None:
    with pytest.raises(BadShares, match=reason):
        quotas(count, shares)


@needs_real_data
@pytest.mark.parametrize("seed", [0, 1, 2017])
def test_types_of_the_published_lesions_are_balanced_within_a_percent(seed: int) -> None:
    patients: dict[int, Counter[int]] = {}
    for _, row, _ in dl_info.read(REAL / "DL_info.csv"):
        assert row is not None
        patients.setdefault(row.patient, Counter())[row.type] += 1
    placed = share_out(patients, (70, 15, 15), seed)
    totals: Counter[int] = Counter()
    held: dict[int, Counter[int]] = {place: Counter() for place in range(3)}
    for number, place in placed.items():
        held[place].update(patients[number])
        totals.update(patients[number])
    for place, share in enumerate((0.70, 0.15, 0.15)):
        assert sum(held[place].values()) / totals.total() == pytest.approx(share, abs=0.01)
        for kind in range(1, 9):
            assert held[place][kind] / totals[kind] == pytest.approx(share, abs=0.01)
