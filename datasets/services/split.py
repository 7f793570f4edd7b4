"""Sharing patients out to train, val and test, so that lesion types are balanced and no patient is in two splits.

The number of patients per split is fixed by the shares. Who goes where is drawn by seed; then patients are swapped
between splits as long as that fills a split that lacks a type, or else brings the lesions of every type, and all
lesions together, closer to the shares. Among few patients swaps end early, so several draws are tried.
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

ROUNDS = 20
"""How often each patient's best swap is looked for; most draws need less than five."""

DRAWS, SWAPS = 12, 1_000_000
"""Most draws that are tried, and about how many pairs of patients they look at together: one draw for thousands of
patients, which is close enough, and all of them for some dozens."""


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
    numbers = sorted(patients)
    kinds = sorted({kind for types in patients.values() for kind in types})
    counts = np.array([[patients[number].get(kind, 0) for kind in kinds] for number in numbers], dtype=np.float64)
    lesions = np.column_stack([counts, counts.sum(axis=1)])
    parts = np.array(shares) / 100
    held = lesions / np.maximum(lesions.sum(axis=0), 1)
    splits = np.repeat(np.arange(len(shares)), quotas(len(numbers), shares))
    best: _Sharing | None = None
    for draw in range(max(1, min(DRAWS, SWAPS // len(numbers) ** 2))):
        places = np.empty_like(splits)
        places[_drawn(numbers, seed, draw)] = splits
        sharing = _Sharing(held, counts > 0, places, parts)
        sharing.balance()
        if best is None or sharing.cost < best.cost:
            best = sharing
        if best.is_good:
            break
    assert best is not None
    return dict(zip(numbers, best.places.tolist(), strict=True))


def _drawn(numbers: Sequence[int], seed: int, draw: int) -> list[int]:
    """The places of patients in the order of one draw; hashes, so that it is the same with every version of numpy."""
    told = f"{seed}:{draw}:" if draw else f"{seed}:"
    keys = [hashlib.sha256(f"{told}{number}".encode()).digest() for number in numbers]
    return sorted(range(len(numbers)), key=keys.__getitem__)


class _Sharing:
    """One way to share patients out, and how far it is from what is asked for.

    Parameters
    ----------
    held : (patients, things), which part of all lesions of a type a patient has.
    has : (patients, types), whether a patient has a lesion of a type; unknown is one as well.
    places : (patients,), the split of each; swapped in place.
    shares : (splits,), adding up to 1.
    """

    def __init__(
        self,
        held: NDArray[np.float64],
        has: NDArray[np.bool_],
        places: NDArray[np.int_],
        shares: NDArray[np.float64],
    ) -> None:
        self._held, self._has, self.places = held, has.astype(np.int64), places
        self._weight = 1 / np.maximum(shares, 1e-9)
        self._off = np.stack([held[places == place].sum(axis=0) - share for place, share in enumerate(shares)])
        self._having = np.stack([self._has[places == place].sum(axis=0) for place in range(len(shares))])
        """(splits, types), patients with a lesion of that type."""
        self._asked = shares > 0
        self._fewest = int(np.maximum(self._asked.sum() - self._has.sum(axis=0), 0).sum())

    @property
    def lacking(self) -> int:
        """How often a split lacks a type."""
        return int((self._having[self._asked] == 0).sum())

    @property
    def cost(self) -> tuple[int, float]:
        """What is to be small; a lacking type weighs most. Rounded, so that it is equal on every machine."""
        return self.lacking, round(float((self._weight[:, None] * self._off**2).sum()), 9)

    @property
    def is_good(self) -> bool:
        """Whether it is close enough, and a type lacks only where fewer patients have it than there are splits."""
        return bool(np.abs(self._off).max() < CLOSE_ENOUGH) and self.lacking <= self._fewest

    def balance(self) -> None:
        """Swap patients until no swap makes it better, or it is good."""
        for _ in range(ROUNDS):
            swapped = False
            for one in range(len(self.places)):
                if self._swap(one):
                    swapped = True
                    if self.is_good:
                        return
            if not swapped:
                return

    def _swap(self, one: int) -> bool:
        """Let a patient change places with whoever makes it best, if that makes it better."""
        here, there = self.places[one], self.places
        change = self._held - self._held[one]
        square = (change**2).sum(axis=1)
        gain = self._weight[here] * (2 * change @ self._off[here] + square)
        gain += self._weight[there] * (square - 2 * (change * self._off[there]).sum(axis=1))
        # Rounded, so that equally good swaps are equal on every machine and the first is taken.
        gain = np.where(there == here, 0.0, np.round(gain, 9))
        lacking = np.where(there == here, 0, self._more_lacking(one))
        fewest = lacking.min()
        other = int(np.argmin(np.where(lacking == fewest, gain, np.inf)))
        if fewest == 0 and gain[other] >= -1e-9:
            return False
        place = there[other]
        self._off[here] += change[other]
        self._off[place] -= change[other]
        moved = self._has[other] - self._has[one]
        self._having[here] += moved
        self._having[place] -= moved
        self.places[one], self.places[other] = place, here
        return True

    def _more_lacking(self, one: int) -> NDArray[np.int_]:
        """How many more types splits would lack if a patient changed places with each of the others."""
        # Only what a split has once or not at all can be lost or won.
        scarce = (self._having[self._asked] <= 1).any(axis=0)
        if not scarce.any():
            return np.zeros(len(self.places), dtype=np.int64)
        having, has = self._having[:, scarce], self._has[:, scarce]
        here, there = having[self.places[one]], having[self.places]
        moved = has - has[one]
        after = (here + moved == 0).sum(axis=1) + (there - moved == 0).sum(axis=1)
        return np.asarray(after - (here == 0).sum() - (there == 0).sum(axis=1))
