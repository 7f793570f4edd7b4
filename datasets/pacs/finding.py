"""Finding the studies that a query wants on a server: the same steps for QIDO and C-FIND.

Servers narrow a search down as well as they can; what comes back is checked here against the whole query.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import Protocol, TypeVar

from datasets.pacs.instance import Header, value_of
from datasets.pacs.source import BadAnswer, NotFound, Problem, Progress, Query, Study, merged

T = TypeVar("T")

BATCH = 64
"""Searches given to a server at once: it takes them over one association, or several side by side."""

STUDY_KEYWORDS = (
    "StudyInstanceUID", "PatientID", "IssuerOfPatientID", "AccessionNumber", "StudyDate", "ModalitiesInStudy",
    "NumberOfStudyRelatedInstances",
)  # fmt: skip
"""What `study_of` reads."""


class Find(Protocol):
    """Runs searches on a server, each given by the values of its matching keys."""

    def __call__(self, *searches: Mapping[str, str]) -> Iterable[Study]:
        """Give what any of them finds."""


class StudyFinder:
    """The studies of one server.

    Parameters
    ----------
    find : runs searches on the server.
    can_ask_for : whether every server understands a value as it stands. For another one an empty answer proves
        nothing, and all studies are listed.
    problems : where accession numbers go that no study has.
    ask_all : ask for those other values, too, as many servers do understand them.
    """

    def __init__(
        self, find: Find, can_ask_for: Callable[[str], bool], problems: list[Problem], ask_all: bool = False
    ) -> None:
        self._find = find
        self._can_ask_for = can_ask_for
        self._problems = problems
        self._ask_all = ask_all

    def studies(self, query: Query, progress: Progress | None = None) -> Iterator[Study]:
        """Give the studies that a query wants in the order of their StudyInstanceUID."""
        without_history = replace(query, changed=None)
        missing = set(query.accession_numbers)
        candidates = merged(self._counted(self._candidates(query), progress))
        if query.accession_numbers:
            candidates = [each for each in candidates if each.AccessionNumber in query.accession_numbers]
        for study in self._whole(candidates) if query.narrows else candidates:
            if without_history.wants(study):
                missing.discard(study.AccessionNumber)
                if query.wants(study):
                    yield study
        self._problems += not_found(missing)

    def _whole(self, studies: Iterable[Study]) -> Iterator[Study]:
        """Look studies up by their UID alone: a search may have met a part of one only."""
        for batch in _batches(studies):
            by_uid = {study.StudyInstanceUID: study for study in batch}
            parts = self._find(*({"StudyInstanceUID": uid} for uid in by_uid))
            found = {each.StudyInstanceUID: each for each in merged(parts)}
            yield from (found.get(uid, study) for uid, study in by_uid.items())

    def _candidates(self, query: Query) -> Iterator[Study]:
        keys = _range(query)
        for batch in _batches(sorted(filter(self._can_ask_for, query.accession_numbers))):
            yield from self._find(*({**keys, "AccessionNumber": accession} for accession in batch))
        doubtful = {each for each in query.accession_numbers if not self._can_ask_for(each)}
        for batch in _batches(sorted(doubtful)) if self._ask_all else ():
            # A server may refuse such a value as well.
            with suppress(BadAnswer):
                for study in self._find(*({**keys, "AccessionNumber": accession} for accession in batch)):
                    doubtful.discard(study.AccessionNumber)
                    yield study
        if doubtful or not query.accession_numbers:
            for modality in sorted(query.annotated_in) or [""]:
                yield from self._find({**keys, "ModalitiesInStudy": modality} if modality else keys)

    @staticmethod
    def _counted(studies: Iterable[Study], progress: Progress | None) -> Iterator[Study]:
        for done, study in enumerate(studies, start=1):
            if progress is not None:
                progress(done, None)
            yield study


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    left = iter(items)
    while batch := list(islice(left, BATCH)):
        yield batch


def not_found(accession_numbers: Iterable[str]) -> list[Problem]:
    """What is said of accession numbers that no study has."""
    return [
        Problem(number, "no study was found for this accession number", NotFound)
        for number in sorted(accession_numbers)
    ]


def study_of(answer: Header) -> Study:
    """Take a study out of what a server answers; values that it leaves out are empty."""
    values = {keyword: value_of(answer, keyword) for keyword in STUDY_KEYWORDS}
    modalities = values["ModalitiesInStudy"] or ()
    count = values["NumberOfStudyRelatedInstances"]
    try:
        number = int(count or 0)
    except (TypeError, ValueError):
        number = 0
    return Study(
        StudyInstanceUID=_text(values["StudyInstanceUID"]),
        PatientID=_text(values["PatientID"]),
        IssuerOfPatientID=_text(values["IssuerOfPatientID"]),
        AccessionNumber=_text(values["AccessionNumber"]),
        StudyDate=_text(values["StudyDate"]),
        ModalitiesInStudy=tuple(sorted([modalities] if isinstance(modalities, str) else map(str, modalities))),
        NumberOfStudyRelatedInstances=number,
    )


def _range(query: Query) -> dict[str, str]:
    if not query.first_date and not query.last_date:
        return {}
    first, last = (f"{each:%Y%m%d}" if each else "" for each in (query.first_date, query.last_date))
    return {"StudyDate": f"{first}-{last}"}


def _text(value: object) -> str:
    return "" if value is None else str(value).strip(" \0")
