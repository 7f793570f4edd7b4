"""Sharing patients out to train, val and test, so that lesion types are balanced and no patient is in two splits.

The number of patients per split is fixed by the shares. Who goes where is drawn by seed; then patients are swapped
between splits as long as that brings the lesions of every type, and all lesions together, closer to the shares.
"""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from datasets.services.errors import Refused

Types = Mapping[int, int]
"""Lesions per type."""

CLOSE_ENOUGH = 0.002
"""Greatest distance of any type's share from the one asked for, where swapping ends."""

ROUNDS = 5
"""How often each patient's best swap is looked for; little changes after the second."""


class BadShares(Refused):
    """The shares do not work out."""


def check_shares(shares: Sequence[int]) -> None:
    """Refuse shares that are no percentages of one whole.

    Raises
    ------
    BadShares : one is below 0, or they do not add up to 100.
    """
    told = "/".join(map(str, shares))
    if min(shares) < 0:
        raise BadShares(f"the shares {told} hold one below 0")
    if sum(shares) != 100:
        raise BadShares(f"the shares {told} do not add up to 100")


def quotas(count: int, shares: Sequence[int]) -> list[int]:
    """How many of `count` patients go to each split: the nearest whole numbers, at least one where a share is not 0.

    Raises
    ------
    BadShares : the shares do not add up to 100, or there are too few patients.
    """
    check_shares(shares)
    asked = sum(share > 0 for share in shares)
    if count < asked:
        patients = "1 patient" if count == 1 else f"{count} patients"
        raise BadShares(f"{patients} cannot be shared out to {asked} splits")
    found = [count * share // 100 for share in shares]
    for place in sorted(range(len(shares)), key=lambda place: -(count * shares[place] % 100))[: count - sum(found)]:
        found[place] += 1
    for place, share in enumerate(shares):
        if share and not found[place]:
            found[place] += 1
            found[found.index(max(found))] -= 1
    return found


def share_out(patients: Mapping[int, Types], shares: Sequence[int], seed: int) -> dict[int, int]:
    """Give every patient a split; the same seed and data give the same.

    Parameters
    ----------
    patients : lesions per type, per patient number.
    shares : percent per split.

    Returns
    -------
    dict : place in `shares`, per patient number.

    Raises
    ------
    BadShares : see `quotas`.
    """
    numbers = sorted(patients, key=lambda number: hashlib.sha256(f"{seed}:{number}".encode()).digest())
    places = np.repeat(np.arange(len(shares)), quotas(len(numbers), shares))
    kinds = sorted({kind for types in patients.values() for kind in types})
    counts = np.array([[patients[number].get(kind, 0) for kind in kinds] for number in numbers], dtype=np.float64)
    counts = np.column_stack([counts, counts.sum(axis=1)])
    _balance(counts / np.maximum(counts.sum(axis=0), 1), places, np.array(shares) / 100)
    return dict(zip(numbers, places.tolist(), strict=True))


def _balance(held: NDArray[np.float64], places: NDArray[np.int_], shares: NDArray[np.float64]) -> None:
    """Swap patients, in place, until each split holds about its share of everything.

    Parameters
    ----------
    held : (patients, things), which part of all lesions of a type a patient has.
    places : (patients,), the split of each.
    shares : (splits,), adding up to 1.
    """
    off = np.stack([held[places == place].sum(axis=0) - share for place, share in enumerate(shares)])
    weight = 1 / np.maximum(shares, 1e-9)
    for _ in range(ROUNDS):
        swapped = False
        for one in range(len(held)):
            if np.abs(off).max() < CLOSE_ENOUGH:
                return
            here = places[one]
            change = held - held[one]
            square = (change**2).sum(axis=1)
            gain = weight[here] * (2 * change @ off[here] + square)
            gain += weight[places] * (square - 2 * (change * off[places]).sum(axis=1))
            # Rounded, so that equally good swaps are equal on every machine and the first is taken.
            other = int(np.argmin(np.where(places == here, 0.0, np.round(gain, 9))))
            if gain[other] < -1e-9 and places[other] != here:
                off[here] += change[other]
                off[places[other]] -= change[other]
                places[one], places[other] = places[other], here
                swapped = True
        if not swapped:
            return
