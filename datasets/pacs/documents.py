"""Annotations in files beside DICOM: AIM XML and exports of bookmarks, given to their studies as encapsulated objects.

So one way leads from every annotation to its bookmarks, wherever it was stored.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from stat import S_ISREG

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from datasets.pacs.instance import Instance, from_dataset
from datasets.pacs.readers import aim, export
from datasets.pacs.readers.document import ENCAPSULATED_XML, Aim, Export, NoAnnotations, opened
from datasets.pacs.readers.markup import MAX_BYTES
from datasets.pacs.source import (
    EVERYTHING,
    NotFound,
    Problem,
    Progress,
    Query,
    Source,
    SourceNotFound,
    Study,
    Unreadable,
    by_series,
)

SUFFIXES = (".xml", ".csv")


@dataclass(frozen=True, slots=True)
class _Part:
    """What one file says about one study."""

    path: Path
    place: str
    """Tells it from every other file of the source."""
    uid: str
    """SOPInstanceUID of the object that stands for it: the same whenever the file is read, wherever it lies."""
    rows: bytes = b""
    """An export's rows of the study, as CSV: it is read once, however many studies it marks."""


class Documents:
    """Files with annotations, by the study that they belong to."""

    def __init__(self) -> None:
        self._by_study: dict[str, list[_Part]] = defaultdict(list)
        self._by_accession: dict[str, list[_Part]] = defaultdict(list)
        self._met: set[str] = set()

    def add(self, path: Path, place: str) -> None:
        """Take a file in.

        Parameters
        ----------
        place : its name within the source.

        Raises
        ------
        Unreadable : it holds no annotations that are read, or names no study.
        """
        document = _open(path)
        if isinstance(document, Aim):
            named = aim.identifier_of(document.root) or hashlib.sha256(path.read_bytes()).hexdigest()
            studies = sorted(aim.studies_of(document.root))
            if not studies:
                raise Unreadable("its annotations name no study")
            for study in studies:
                self._by_study[study].append(_Part(path, place, _uid("AIM", named, study)))
            return
        by_accession: dict[str, list[export.Row]] = defaultdict(list)
        for row in document.rows:
            by_accession[row.get(export.ACCESSION, "")].append(row)
        nameless = by_accession.pop("", None)
        for accession, rows in by_accession.items():
            part = _Part(path, place, _uid("export", accession), export.csv_of(rows))
            self._by_accession[accession].append(part)
        if nameless:
            raise Unreadable("some of its rows name no accession number")

    def instances(self, study: Study) -> list[Instance]:
        """The objects that stand for what the files say about a study."""
        return [from_dataset(_object(part, study), part.place) for part in self._parts(study)]

    def read(self, instance: Instance) -> Dataset | None:
        """Give such an object with its document; None for any other instance.

        Raises
        ------
        Unreadable : the file is gone.
        """
        for part in (*self._by_study[instance.StudyInstanceUID], *self._by_accession[instance.AccessionNumber]):
            if (part.uid, part.place) == (instance.SOPInstanceUID, instance.locator):
                try:
                    return _object(part, instance, part.rows or part.path.read_bytes())
                except OSError as error:
                    raise Unreadable(error.strerror or "cannot be read") from None
        return None

    def reopening(self, query: Query) -> Query:
        """The same query, for which a study with documents is never the same as at the last harvest.

        A file that grows changes nothing in what the server counts.
        """
        changed = query.changed
        if changed is None:
            return query
        return replace(query, changed=lambda study: any(self._parts(study)) or changed(study))

    def meet(self, study: Study) -> None:
        """Note that the source has a study."""
        self._met |= {study.StudyInstanceUID, study.AccessionNumber}

    def unmet(self) -> list[Problem]:
        """The files that mark studies which the source was not found to have."""
        left: dict[str, int] = defaultdict(int)
        for by_name in (self._by_study, self._by_accession):
            for name, parts in by_name.items():
                for part in parts if name not in self._met else ():
                    left[part.place] += 1
        return [
            Problem(place, f"{count} of the studies that it marks were not found", NotFound)
            for place, count in left.items()
        ]

    def _parts(self, study: Study) -> Iterator[_Part]:
        yield from self._by_study.get(study.StudyInstanceUID, ())
        if study.AccessionNumber:
            yield from self._by_accession.get(study.AccessionNumber, ())


class WithDocuments:
    """A source and files with annotations that its PACS does not hold. See `source.Source`."""

    def __init__(self, source: Source, paths: Iterable[Path]) -> None:
        self._source = source
        self._documents = Documents()
        self.label = source.label
        self.problems = source.problems
        for number, path in enumerate(paths, start=1):
            # By its whole path: the source may have a file of the same name.
            place = str(path.absolute())
            try:
                self._documents.add(path, place)
            except Unreadable as error:
                sentence = f"file {number} of those with annotations cannot be taken: {error}"
                raise SourceNotFound(sentence, place) from None

    def studies(self, query: Query = EVERYTHING, progress: Progress | None = None) -> Iterator[Study]:
        for study in self._source.studies(self._documents.reopening(query), progress):
            self._documents.meet(study)
            yield study
        self.problems += self._documents.unmet()

    def instances(self, study: Study) -> list[Instance]:
        own = self._documents.instances(study)
        return by_series([*self._source.instances(replace(study, marked_elsewhere=bool(own))), *own])

    def read(self, instance: Instance) -> Dataset:
        return self._documents.read(instance) or self._source.read(instance)

    def read_all(self, instances: Sequence[Instance]) -> Iterator[tuple[Instance, Dataset | Unreadable]]:
        return self._source.read_all(instances)


def _open(path: Path) -> Aim | Export:
    try:
        status = path.stat()
        if not S_ISREG(status.st_mode):
            raise Unreadable("not a file")
        if status.st_size > MAX_BYTES:
            raise Unreadable(f"it is larger than {MAX_BYTES // 2**20} MB")
        return opened(path.read_bytes())
    except OSError as error:
        raise Unreadable(error.strerror or "cannot be read") from None
    except NoAnnotations as error:
        raise Unreadable(str(error)) from None


def _object(part: _Part, study: Study | Instance, document: bytes | None = None) -> Dataset:
    wrapped = Dataset()
    wrapped.file_meta = FileMetaDataset()
    wrapped.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    wrapped.SOPClassUID, wrapped.SOPInstanceUID = ENCAPSULATED_XML, part.uid
    wrapped.StudyInstanceUID, wrapped.SeriesInstanceUID = study.StudyInstanceUID, part.uid
    wrapped.Modality = "DOC"
    for keyword in ("PatientID", "IssuerOfPatientID", "AccessionNumber", "StudyDate"):
        setattr(wrapped, keyword, getattr(study, keyword))
    if document is not None:
        wrapped.EncapsulatedDocument = document
    return wrapped


def _uid(*names: str) -> str:
    """A UID that follows from names. Source: DICOM PS3.5 B.2."""
    digest = hashlib.sha256("\0".join(names).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"
