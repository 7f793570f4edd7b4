"""A DIMSE application entity as a source: C-FIND lists studies and headers, C-GET or C-MOVE gives objects."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from pydicom.dataset import Dataset

from datasets.pacs import readers
from datasets.pacs.addressing import DimseAddress, dimse_address
from datasets.pacs.ahead import map_ahead
from datasets.pacs.arrival import checked, headers_missing, instances_of
from datasets.pacs.dimse_link import Link
from datasets.pacs.dimse_transfer import Getter, Mover, Transfer
from datasets.pacs.finding import STUDY_KEYWORDS, StudyFinder, study_of
from datasets.pacs.instance import HEADER_KEYWORDS, Header, Instance, facts_of, from_dataset
from datasets.pacs.source import EVERYTHING, Problem, Progress, Query, Study, Unreadable

BATCH = 8
"""Objects per request: few enough for memory, many enough that opening an association does not count."""

THREADS = 2
AHEAD = 3
"""Batches under way or waiting."""

CLASSES_PER_BATCH = 8
"""An association has room for 127 pairs of class and transfer syntax."""

NOT_LITERAL = re.compile(r"[*?\\]")
"""Characters with a meaning of their own in C-FIND, DICOM PS3.4 C.2.2.2."""


class DimseSource:
    """A DIMSE application entity. See `source.Source`."""

    def __init__(self, address: DimseAddress) -> None:
        self.label = address.label
        self.problems: list[Problem] = []
        self._link = Link(address)
        self._transfer: Transfer = Mover(self._link, *address.move) if address.move else Getter(self._link)
        self._finder = StudyFinder(self._find, lambda value: NOT_LITERAL.search(value) is None, self.problems)

    @classmethod
    def open(cls, address: str) -> DimseSource:
        """Open `dimse://AET@host:port?aet=OURS[&move=AET:port]`; nothing is asked yet.

        Raises
        ------
        BadAddress : one sentence on what is wrong.
        """
        return cls(dimse_address(address))

    def studies(self, query: Query = EVERYTHING, progress: Progress | None = None) -> Iterator[Study]:
        return self._finder.studies(query, progress)

    def instances(self, study: Study) -> list[Instance]:
        uid = study.StudyInstanceUID
        series = self._link.find(_identifier("SERIES", ("SeriesInstanceUID", "Modality"), StudyInstanceUID=uid))
        modalities = {str(each.get("SeriesInstanceUID", "")): each.get("Modality") for each in series}
        series_uids = sorted(modalities.keys() - {""})
        # By level, as the standard asks for: many servers refuse to list images without being told the series.
        queries = [
            _identifier("IMAGE", HEADER_KEYWORDS, StudyInstanceUID=uid, SeriesInstanceUID=each) for each in series_uids
        ]
        images = list(self._link.find(*queries))
        for each in images:
            # Every server states it for a series, not every one for an object.
            each.Modality = each.get("Modality") or modalities.get(str(each.get("SeriesInstanceUID", "")))
        listed: list[Header] = [*images]
        for bare in headers_missing(listed) if study.marked_elsewhere or _is_marked(listed) else ():
            kept = [each for each in listed if each.get("SeriesInstanceUID") != bare]
            listed = kept + self._headers([each for each in listed if each.get("SeriesInstanceUID") == bare])
        return instances_of(listed, study, self.problems)

    def read(self, instance: Instance) -> Dataset:
        with self._transfer.open():
            ((_, outcome),) = self._fetch([instance])
        if isinstance(outcome, Unreadable):
            raise outcome
        return outcome

    def read_all(self, instances: Sequence[Instance]) -> Iterator[tuple[Instance, Dataset | Unreadable]]:
        with self._transfer.open():
            for batch in map_ahead(self._fetch, _batches(instances), THREADS, AHEAD):
                yield from batch

    def _fetch(self, instances: Sequence[Instance]) -> list[tuple[Instance, Dataset | Unreadable]]:
        arrived = self._transfer.fetch(instances)
        missing = [each for each in instances if each.SOPInstanceUID not in arrived]
        if len(instances) > 1:
            # A server that takes no lists, or broke off at one object, gives the others one by one.
            for each in missing:
                arrived |= self._transfer.fetch([each])
        not_sent = Unreadable("the server did not send it")
        return [(each, _checked(arrived.get(each.SOPInstanceUID, not_sent), each)) for each in instances]

    def _find(self, *searches: Mapping[str, str]) -> Iterable[Study]:
        """Search over one association."""
        return map(study_of, self._link.find(*(_identifier("STUDY", STUDY_KEYWORDS, **keys) for keys in searches)))

    def _headers(self, listed: list[Header]) -> list[Header]:
        """The headers of listed objects out of the objects themselves, which is slow, where the list has none."""
        bare = [from_dataset(each, locator="") for each in listed]
        headers: list[Header] = []
        for _, outcome in self.read_all(bare):
            if isinstance(outcome, Dataset):
                outcome.pop("PixelData", None)
                headers.append(outcome)
        return headers


def _is_marked(listed: Iterable[Header]) -> bool:
    """Whether a study holds annotations, without which nobody needs to know where its slices lie."""
    facts = (facts_of(each, ("SOPClassUID", "Modality")) for each in listed)
    return any(readers.is_annotation_class(each["SOPClassUID"], each["Modality"]) for each in facts)


def _identifier(level: str, keywords: Iterable[str], **keys: str) -> Dataset:
    """What a C-FIND asks for: matching keys with a value, the others to be returned."""
    identifier = Dataset()
    identifier.QueryRetrieveLevel = level
    for keyword in keywords:
        setattr(identifier, keyword, None)
    for keyword, value in keys.items():
        setattr(identifier, keyword, value)
    if any(not value.isascii() for value in keys.values()):
        identifier.SpecificCharacterSet = "ISO_IR 192"
    return identifier


def _batches(instances: Sequence[Instance]) -> Iterator[list[Instance]]:
    batch: list[Instance] = []
    for instance in instances:
        classes = {each.SOPClassUID for each in batch} | {instance.SOPClassUID}
        if batch and (len(batch) == BATCH or len(classes) > CLASSES_PER_BATCH):
            yield batch
            batch = []
        batch.append(instance)
    if batch:
        yield batch


def _checked(outcome: Dataset | Unreadable, instance: Instance) -> Dataset | Unreadable:
    if isinstance(outcome, Unreadable):
        return outcome
    try:
        return checked(outcome, instance)
    except Unreadable as error:
        return error
