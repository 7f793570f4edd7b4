"""Sources: where studies come from. One interface for a folder, DICOMweb and DIMSE."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from pydicom.dataset import Dataset

from datasets.pacs.instance import Instance

Progress = Callable[[int, int | None], None]
"""Called with the objects looked at so far and, where known, how many there are."""


class SourceError(Exception):
    """A source, or one study of it, cannot be used; the message is one sentence, which may be stored and shown.

    `place` is the folder, file or study that it is about. Its name may be a patient's, so a terminal alone sees it.
    """

    def __init__(self, sentence: str, place: str = "") -> None:
        super().__init__(sentence)
        self.place = place

    @property
    def told(self) -> str:
        """The sentence with its place."""
        return f"{self.place}: {self}" if self.place else str(self)


class UnknownScheme(SourceError):
    """No source is known for the address."""


class BadAddress(SourceError):
    """The address lacks a part, or holds one that does not belong there."""


class SourceNotFound(SourceError):
    """Nothing is there at the address."""


class FolderLeftOut(SourceError):
    """A folder within the source cannot be listed, or is a link to one; series may lack what it holds."""


class SourceUnreachable(SourceError):
    """No server answers, or it stopped answering."""


class AccessDenied(SourceError):
    """The server does not know us, or does not let us in."""


class UntrustedServer(SourceError):
    """The server is not one that may be told our password or token."""


class TlsFailure(SourceError):
    """No secure connection comes about."""


class BadAnswer(SourceError):
    """The server answers with a failure, or with something else than was asked for."""


class TruncatedAnswer(SourceError):
    """The server gave less than there is."""


class Contradiction(SourceError):
    """The server lists an object with other values than it holds, or several objects have one SOPInstanceUID."""


class TooLarge(SourceError):
    """An answer is larger than any honest one."""


class Unreadable(SourceError):
    """One object cannot be read; the others can. Its cause, where another error is it, is the one to be named."""

    @classmethod
    def because(cls, cause: SourceError) -> Unreadable:
        """The same sentence, about one object alone."""
        error = cls(str(cause))
        error.__cause__ = cause
        return error


class SeveralPatients(SourceError):
    """The objects of a study name several patients."""


class NotFound(SourceError):
    """The source has no study of a name that was asked for."""


@dataclass(frozen=True, slots=True)
class Problem:
    """An object that the source had to leave out."""

    place: str
    """Its name within the source, for the person who runs the harvest."""
    reason: str
    error: type[SourceError] = Unreadable
    """What it counts as in a report."""

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
    """What the source claims, 0 where it does not say; fewer instances mean a truncated answer."""
    of_one_patient: bool = True
    """Whether all that the source lists of it names one patient, or none."""
    marked_elsewhere: bool = False
    """Whether there are marks on it that the source does not hold."""


@dataclass(frozen=True, slots=True)
class Query:
    """Which studies to list; all conditions hold together, and an empty one asks for nothing."""

    accession_numbers: Collection[str] = frozenset()
    first_date: date | None = None
    """StudyDate on or after this day."""
    last_date: date | None = None
    """StudyDate on or before this day."""
    annotated_in: frozenset[str] = frozenset()
    """Modalities of annotation objects, SR or PR: studies that hold at least one."""
    changed: Callable[[Study], bool] | None = None
    """Whether a study is another than at the last harvest. Reports arrive long after their images, servers keep no
    common record of when, and clocks differ: so the mark up to which a source was harvested is kept study by study."""

    @property
    def narrows(self) -> bool:
        """Whether a server is asked for less than everything."""
        return bool(self.accession_numbers or self.first_date or self.last_date or self.annotated_in)

    def wants(self, study: Study) -> bool:
        """Tell whether a study meets every condition, whatever its server made of them.

        One whose modalities the server does not list may; `wants_objects` tells.
        """
        if self.accession_numbers and study.AccessionNumber not in self.accession_numbers:
            return False
        if (self.first_date or self.last_date) and not self._in_range(study.StudyDate):
            return False
        if self.annotated_in and study.ModalitiesInStudy and self.annotated_in.isdisjoint(study.ModalitiesInStudy):
            return False
        return self.changed is None or self.changed(study)

    def wants_objects(self, instances: Iterable[Instance]) -> bool:
        """Tell whether a study's objects meet the condition on modalities; not every server lists those of studies."""
        return not self.annotated_in or any(not i.Modality or i.Modality in self.annotated_in for i in instances)

    def _in_range(self, day: str) -> bool:
        day = day.replace(".", "").replace("-", "")
        first, last = (f"{each:%Y%m%d}" if each else "" for each in (self.first_date, self.last_date))
        return bool(day) and first <= day and (not last or day <= last)


EVERYTHING = Query()


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

    def studies(self, query: Query = EVERYTHING, progress: Progress | None = None) -> Iterator[Study]:
        """List the studies that a query wants; an accession number of the query that none has becomes a problem.

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
        """Get many objects in any order, each as soon as it is there; a damaged one does not stop the others.

        Raises
        ------
        SourceError : the source itself stopped answering, so that no other object can be had either.
        """


def by_series(instances: Iterable[Instance]) -> list[Instance]:
    """Order instances as every source lists them."""
    return sorted(instances, key=lambda instance: (instance.SeriesInstanceUID, instance.SOPInstanceUID))


def of_one_patient(parts: Iterable[Study | Instance]) -> bool:
    """Tell whether all parts of a study name the same patient; one that names none is of any."""
    parts = list(parts)
    ids, issuers = ({getattr(part, name) for part in parts} - {""} for name in ("PatientID", "IssuerOfPatientID"))
    return len(ids) <= 1 and len(issuers) <= 1


def merged(found: Iterable[Study]) -> list[Study]:
    """One study per StudyInstanceUID, in their order.

    A server that was sent a report without PatientID, as OHIF writes them, lists its study once more without a
    patient: what any of the entries states counts.
    """
    by_uid: dict[str, Study] = {}
    # One entry may come up in several searches.
    for study in dict.fromkeys(found):
        known = by_uid.get(study.StudyInstanceUID)
        if known is None:
            by_uid[study.StudyInstanceUID] = study
            continue
        by_uid[study.StudyInstanceUID] = Study(
            StudyInstanceUID=study.StudyInstanceUID,
            PatientID=known.PatientID or study.PatientID,
            IssuerOfPatientID=known.IssuerOfPatientID or study.IssuerOfPatientID,
            AccessionNumber=known.AccessionNumber or study.AccessionNumber,
            StudyDate=known.StudyDate or study.StudyDate,
            ModalitiesInStudy=tuple(sorted({*known.ModalitiesInStudy, *study.ModalitiesInStudy})),
            NumberOfStudyRelatedInstances=(known.NumberOfStudyRelatedInstances + study.NumberOfStudyRelatedInstances),
            of_one_patient=known.of_one_patient and study.of_one_patient and of_one_patient([known, study]),
        )
    return [by_uid[uid] for uid in sorted(by_uid)]
