"""Sources: where studies come from. One interface for a folder, DICOMweb and DIMSE."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from pydicom.dataset import Dataset

from datasets.pacs.instance import Instance

Progress = Callable[[int, int | None], None]
"""Called with the objects looked at so far and, where known, how many there are."""


class SourceError(Exception):
    """A source cannot be used; the message is one sentence for the user."""


class UnknownScheme(SourceError):
    """No source is known for the address."""


class SourceNotFound(SourceError):
    """Nothing is there at the address."""


class Unreadable(SourceError):
    """One object cannot be read; the others can."""


@dataclass(frozen=True, slots=True)
class Problem:
    """An object that the source had to leave out."""

    place: str
    """Its name within the source, for the person who runs the harvest."""
    reason: str

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Study:
    """One study as the source lists it, before its instances are asked for."""

    StudyInstanceUID: str
    PatientID: str
    IssuerOfPatientID: str
    AccessionNumber: str
    StudyDate: str
    ModalitiesInStudy: tuple[str, ...]
    NumberOfStudyRelatedInstances: int
    """What the source claims; fewer instances mean a truncated answer."""


class Source(Protocol):
    """What a harvest needs of a PACS.

    Studies come lazily and in the order of their StudyInstanceUID, their instances only when asked for, in the order
    of SeriesInstanceUID and SOPInstanceUID: the same hospital gives the same order through every source. A study may
    be asked for at any time after it was listed, and in any order.
    """

    label: str
    """The address without any secret, for reports."""
    problems: list[Problem]
    """What was left out so far."""

    def studies(self, progress: Progress | None = None) -> Iterator[Study]:
        """List the studies.

        Raises
        ------
        SourceError : the source cannot be listed at all.
        """

    def instances(self, study: Study) -> list[Instance]:
        """List the objects of a study.

        Raises
        ------
        SourceError : the study cannot be listed; other studies may.
        """

    def read(self, instance: Instance) -> Dataset:
        """Get a whole object in the transfer syntax in which it is stored.

        Raises
        ------
        Unreadable : it is missing, truncated or damaged.
        """

    def read_all(self, instances: Sequence[Instance]) -> Iterator[tuple[Instance, Dataset | Unreadable]]:
        """Get many objects in any order, each as soon as it is there; a damaged one does not stop the others."""


def by_series(instances: Iterable[Instance]) -> list[Instance]:
    """Order instances as every source lists them."""
    return sorted(instances, key=lambda instance: (instance.SeriesInstanceUID, instance.SOPInstanceUID))
