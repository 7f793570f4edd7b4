"""A DICOMweb server as a source: QIDO lists studies and headers, WADO gives objects as they are stored."""

from __future__ import annotations

import math
import re
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, cast

from dicomweb_client.web import DICOMwebClient
from pydicom.datadict import keyword_dict
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from datasets.pacs import http
from datasets.pacs.addressing import WebAddress, web_address
from datasets.pacs.ahead import map_ahead
from datasets.pacs.arrival import checked, headers_missing, instances_of, whole
from datasets.pacs.finding import STUDY_KEYWORDS, StudyFinder, study_of
from datasets.pacs.instance import DECODE_ERRORS, HEADER_KEYWORDS, Instance, value_of
from datasets.pacs.source import (
    EVERYTHING,
    BadAnswer,
    Problem,
    Progress,
    Query,
    SourceError,
    Study,
    TooLarge,
    TruncatedAnswer,
    Unreadable,
)

PAGE = 500
"""Entries asked for at once. A server may give fewer and not say so, so pages are asked for until one is empty."""

LIST = "the server's list of studies"

THREADS = 3
AHEAD = 12
"""Objects under way or waiting: at half a megabyte each next to nothing, and enough to keep the encoder busy."""

WORTH_ALL = 0.5
"""From this share of a series on, all of it comes over one request: per object, servers need four times as long."""

PLAIN = re.compile(r"[A-Za-z0-9_.~-]+")
"""Values that look the same percent-encoded. Orthanc, for one, does not decode others, and finds nothing."""

AS_STORED = (("application/dicom", "*"),)
"""Any transfer syntax: what is compressed comes as it is, and is decoded here."""


class DicomwebSource:
    """A DICOMweb server. See `source.Source`."""

    def __init__(self, address: WebAddress) -> None:
        self.label = address.label
        self.problems: list[Problem] = []
        self._address = address
        self._local = threading.local()
        self._telling = threading.Lock()
        self._sizes: Counter[str] = Counter()
        """Objects per series of the study that was listed last."""
        self._finder = StudyFinder(
            self._find, lambda value: PLAIN.fullmatch(value) is not None, self.problems, ask_all=True
        )

    @classmethod
    def open(cls, address: str) -> DicomwebSource:
        """Open `dicomweb+http(s)://[user@]host[:port]/root`; nothing is asked yet.

        Raises
        ------
        BadAddress : one sentence on what is wrong.
        """
        return cls(web_address(address))

    def studies(self, query: Query = EVERYTHING, progress: Progress | None = None) -> Iterator[Study]:
        return self._finder.studies(query, progress)

    def instances(self, study: Study) -> list[Instance]:
        uid = study.StudyInstanceUID
        options: dict[str, Any] = {"study_instance_uid": uid, "fields": HEADER_KEYWORDS}
        listed = list(self._pages("search_for_instances", expected=study.NumberOfStudyRelatedInstances, **options))
        self._sizes = Counter(str(each.get("SeriesInstanceUID")) for each in listed)
        for series in headers_missing(listed):
            # Servers need not include what QIDO was asked for; metadata is complete, and larger.
            metadata = self._asked("retrieve_series_metadata", uid, series)
            listed = [each for each in listed if each.get("SeriesInstanceUID") != series]
            listed += [_Answer(values) for values in metadata]
        return instances_of(listed, study, self.problems, self._modalities(uid, listed))

    def _modalities(self, study: str, listed: Sequence[_Answer]) -> dict[str, str]:
        """Modalities by series, where a server's list of objects leaves some out."""
        if all(each.get("Modality") for each in listed):
            return {}
        options: dict[str, Any] = {"study_instance_uid": study, "fields": ("Modality",)}
        found = self._pages("search_for_series", **options)
        return {str(each.get("SeriesInstanceUID")): str(each.get("Modality") or "") for each in found}

    def read(self, instance: Instance) -> Dataset:
        try:
            dataset = http.asked(
                self._client.retrieve_instance,
                instance.StudyInstanceUID,
                instance.SeriesInstanceUID,
                instance.SOPInstanceUID,
                media_types=AS_STORED,
            )
        except http.NotThere:
            raise Unreadable("the server does not hold it any more") from None
        except (TooLarge, TruncatedAnswer, BadAnswer) as error:
            raise Unreadable.because(error) from error
        except (InvalidDicomError, zlib.error, *DECODE_ERRORS):
            raise Unreadable("what the server gave for it is no whole DICOM object") from None
        return checked(dataset, instance)

    def read_all(self, instances: Sequence[Instance]) -> Iterator[tuple[Instance, Dataset | Unreadable]]:
        wanted: dict[str, list[Instance]] = {}
        for instance in instances:
            wanted.setdefault(instance.SeriesInstanceUID, []).append(instance)
        singly: list[Instance] = []
        for uid, members in wanted.items():
            if len(members) < self._sizes.get(uid, math.inf) * WORTH_ALL:
                singly += members
                continue
            missing = {member.SOPInstanceUID: member for member in members}
            for dataset in self._series(members[0]):
                member = missing.pop(str(value_of(dataset, "SOPInstanceUID")), None)
                if member is not None:
                    yield member, whole(partial(checked, dataset))(member)
            singly += missing.values()
        yield from zip(singly, map_ahead(whole(self.read), singly, THREADS, AHEAD), strict=True)

    def _series(self, member: Instance) -> Iterator[Dataset]:
        """A whole series over one request, until it ends or breaks; what is missing then is asked for singly."""
        try:
            stream = http.asked(
                self._client.iter_series, member.StudyInstanceUID, member.SeriesInstanceUID, media_types=AS_STORED
            )
            while (dataset := http.asked(next, stream, None)) is not None:
                # pydicom keeps the whole file beside its values: twice the memory.
                dataset.buffer = None
                yield dataset
        except (SourceError, http.NotThere, InvalidDicomError, zlib.error, *DECODE_ERRORS):
            return

    @property
    def _client(self) -> DICOMwebClient:
        """This thread's own client: connections are not shared."""
        if not hasattr(self._local, "client"):
            self._local.client = http.client(self._address)
        return cast(DICOMwebClient, self._local.client)

    def _find(self, *searches: Mapping[str, str]) -> Iterator[Study]:
        """Search side by side; one search alone page by page."""
        if len(searches) == 1:
            yield from self._search(searches[0])
            return
        for found in map_ahead(lambda keys: list(self._search(keys)), searches, THREADS, len(searches)):
            yield from found

    def _search(self, keys: Mapping[str, str]) -> Iterator[Study]:
        options: dict[str, Any] = {"search_filters": dict(keys), "fields": STUDY_KEYWORDS}
        for answer in self._pages("search_for_studies", self._doubt, **options):
            yield study_of(answer)

    def _doubt(self, count: int) -> None:
        """Tell once that lists of studies may be cut: unlike a study's objects, nobody says how many there are."""
        sentence = (
            f"it ends after {count} studies and cannot be asked to go on; there may be more, so ask for fewer days"
        )
        with self._telling:
            if count > 1 and not any(problem.place == LIST for problem in self.problems):
                self.problems.append(Problem(LIST, sentence, TruncatedAnswer))

    def _pages(
        self, search: str, doubt: Callable[[int], None] = lambda count: None, expected: int = 0, **options: Any
    ) -> Iterator[_Answer]:
        """Everything that a search finds, page by page.

        Parameters
        ----------
        doubt : called with the number of entries where the server ignores `offset`, so that it may hold back others.
        expected : how many there should be; so many pages are asked for side by side.
        """

        def asked(offset: int) -> list[dict[str, Any]]:
            return self._asked(search, limit=PAGE, offset=offset, **options)

        seen: set[tuple[str, ...]] = set()
        offset = 0
        offsets = [*range(0, expected, PAGE), expected] if expected > PAGE else []
        pages = map_ahead(asked, offsets, THREADS, THREADS)
        ahead: Iterator[tuple[int, list[dict[str, Any]]]] = zip(offsets, pages, strict=True)
        while True:
            begin, page = next(ahead, (-1, []))
            if begin != offset:
                # The server gives more or fewer than it is asked for, and the other pages begin elsewhere.
                ahead, page = iter(()), asked(offset)
            fresh = [answer for answer in map(_Answer, page) if answer.identity not in seen]
            if not fresh:
                if len(page) == PAGE:
                    raise TruncatedAnswer("the server gives the same page of its list again and again")
                if 0 < len(page) < PAGE:
                    doubt(len(seen))
                return
            seen.update(answer.identity for answer in fresh)
            yield from fresh
            offset += len(page)

    def _asked(self, request: str, *arguments: Any, **options: Any) -> list[dict[str, Any]]:
        try:
            answer = http.asked(getattr(self._client, request), *arguments, **options)
        except http.NotThere:
            raise http.not_dicomweb() from None
        if not isinstance(answer, list) or not all(isinstance(entry, dict) for entry in answer):
            raise BadAnswer("the server's answer is no list of DICOM JSON objects")
        return answer


class _Answer:
    """One entry of DICOM JSON, by keyword. See `instance.Header`."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def get(self, keyword: str, /) -> Any:
        """The value, or the list of values."""
        element = self._values.get(f"{keyword_dict[keyword]:08X}")
        values = element.get("Value") if isinstance(element, dict) else None
        if not isinstance(values, list) or not values:
            return None
        return values[0] if len(values) == 1 else values

    @property
    def identity(self) -> tuple[str, ...]:
        """What tells entries of one list apart; parts of a split study differ in the patient."""
        keys = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "PatientID")
        return tuple(str(self.get(key)) for key in keys)
