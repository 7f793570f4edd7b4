"""A release folder, or the published DeepLesion as it was downloaded: its rows and its images."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detection.data.identity import identify
from detection.data.table import Lesion, read_lesions, select
from detection.errors import EmptySplit


@dataclass(frozen=True, slots=True)
class Sample:
    """One key slice with its lesions."""

    file_name: str
    folder: str
    slice: int
    patient: int
    spacing: float
    interval: float
    image_size: tuple[int, int]
    """Columns, rows."""
    boxes: NDArray[np.float64]
    """(M, 4) x1, y1, x2, y2 in the slice, 0-based, pixel centres at integers."""


@dataclass(frozen=True)
class Release:
    """What lies in a folder."""

    folder: Path
    name: str
    sha256: str
    """Of manifest.json; of DL_info.csv where there is no manifest, as in the published download."""
    lesions: list[Lesion]

    @property
    def images(self) -> Path:
        """The folder of folders of slices."""
        return self.folder / "Images_png"

    def samples(self, split: str, *, fraction: float = 1.0, seed: int = 0) -> list[Sample]:
        """Key slices of a split in the order of their names, without noisy lesions.

        Parameters
        ----------
        fraction : share of the split's patients to keep, at least one; chosen by `seed`, a smaller share being part of
            a larger one.

        Raises
        ------
        EmptySplit : there are none.
        """
        chosen = select(self.lesions, split)
        if not chosen:
            raise EmptySplit(f"{self.name} has no lesion in the {split} split; choose another split or release")
        if fraction < 1:
            patients = np.unique([lesion.patient for lesion in chosen])
            order = np.random.default_rng(seed).permutation(patients)
            kept = set(order[: max(1, math.ceil(fraction * len(order)))].tolist())
            chosen = [lesion for lesion in chosen if lesion.patient in kept]
        return group(chosen)


def open_release(folder: Path) -> Release:
    """Read the table of a folder and check its version.

    Raises
    ------
    BadRelease : it holds no DL_info.csv or no Images_png, or its manifest is of another version.
    BadTable : the table cannot be read.
    """
    identity = identify(folder)
    return Release(folder, identity.name, identity.sha256, read_lesions(folder / "DL_info.csv"))


def group(lesions: Sequence[Lesion]) -> list[Sample]:
    """One sample per image, in the order of their names."""
    of_image: dict[str, list[Lesion]] = {}
    for lesion in lesions:
        of_image.setdefault(lesion.file_name, []).append(lesion)
    return [
        Sample(
            file_name=name,
            folder=rows[0].folder,
            slice=rows[0].slice,
            patient=rows[0].patient,
            spacing=rows[0].spacing,
            interval=rows[0].interval,
            image_size=rows[0].image_size,
            boxes=np.array([row.box for row in rows], dtype=np.float64),
        )
        for name, rows in sorted(of_image.items())
    ]
