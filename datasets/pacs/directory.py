"""DICOM files in a folder of any shape as a source; also what reads any DICOM file."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from stat import S_ISREG
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from datasets.pacs.arrival import told
from datasets.pacs.copies import one_of
from datasets.pacs.documents import SUFFIXES, Documents
from datasets.pacs.finding import not_found
from datasets.pacs.instance import DECODE_ERRORS, HEADER_TAGS, IncompleteHeader, Instance, from_dataset
from datasets.pacs.pixels import PixelError, grey_values
from datasets.pacs.series import CT_IMAGE
from datasets.pacs.shelf import Shelf
from datasets.pacs.source import (
    EVERYTHING,
    FolderLeftOut,
    Problem,
    Progress,
    Query,
    SourceError,
    SourceNotFound,
    Study,
    Unreadable,
    by_series,
    of_one_patient,
)

MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"
"""SOP class of a DICOMDIR: a table of contents, which may be old; the files speak for themselves."""

TAG_BYTES = 8
"""An element's tag, kind and length."""

PREAMBLE_BYTES = 132
PIECE_BYTES = 2**16
MAX_INFLATED_BYTES = 256 * 2**20
DEFLATED = b"1.2.840.10008.1.2.1.99"

REPORT_EVERY = 64
"""Files between two reports of progress."""


class DirectorySource:
    """A folder with DICOM files below it. See `source.Source`."""

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            sentence = "the address names a file, not a folder" if root.exists() else "there is no such folder"
            raise SourceNotFound(sentence, str(root))
        self.root = root
        self.label = f"dir://{root.absolute()}"
        self.problems: list[Problem] = []
        self._shelf = Shelf()
        self._documents = Documents()
        self._scanned = False
        self._copies: tuple[str, dict[str, list[Instance]]] = ("", {})
        """The study that was looked at last; by SOPInstanceUID the files that hold an object, by path."""

    @classmethod
    def open(cls, address: str) -> DirectorySource:
        """Open `dir:///absolute/path`; `dir:relative/path` is below the current folder.

        Raises
        ------
        SourceNotFound : there is no such folder.
        """
        parts = urlsplit(address)
        if parts.netloc or not parts.path:
            sentence = "the address names no folder; an absolute path takes three slashes: dir:///data/export"
            raise SourceNotFound(sentence, address)
        return cls(Path(unquote(parts.path)))

    def studies(self, query: Query = EVERYTHING, progress: Progress | None = None) -> Iterator[Study]:
        """Look at every header once, then give study after study."""
        if not self._scanned:
            self._scan(progress)
        missing = set(query.accession_numbers)
        query = self._documents.reopening(query)
        for uid in self._shelf.studies():
            study = self._study(uid)
            missing.discard(study.AccessionNumber)
            self._documents.meet(study)
            if query.wants(study):
                yield study
        self.problems += [*not_found(missing), *self._documents.unmet()]

    def instances(self, study: Study) -> list[Instance]:
        found = self._instances(study.StudyInstanceUID)
        return by_series([*told(found, self.problems), *self._documents.instances(study)])

    def read(self, instance: Instance) -> Dataset:
        """Get a whole object; of several copies the first that is whole, and those before it become problems."""
        return self._documents.read(instance) or self._read_any(instance)

    def read_all(self, instances: Sequence[Instance]) -> Iterator[tuple[Instance, Dataset | Unreadable]]:
        for instance in instances:
            try:
                yield instance, self.read(instance)
            except Unreadable as error:
                yield instance, error

    def _study(self, uid: str) -> Study:
        instances = self._instances(uid)
        # Whichever object states it: OHIF's reports, for one, leave the patient and the accession number out.
        return Study(
            StudyInstanceUID=uid,
            PatientID=_stated(i.PatientID for i in instances),
            IssuerOfPatientID=_stated(i.IssuerOfPatientID for i in instances),
            AccessionNumber=_stated(i.AccessionNumber for i in instances),
            StudyDate=_stated(i.StudyDate for i in instances),
            ModalitiesInStudy=tuple(sorted({i.Modality for i in instances})),
            NumberOfStudyRelatedInstances=len(instances),
            of_one_patient=of_one_patient(instances),
        )

    def _instances(self, uid: str) -> list[Instance]:
        """One study's instances; of several copies of one object the one with the fullest header, then the first."""
        return by_series(map(one_of, self._by_object(uid).values()))

    def _by_object(self, study: str) -> dict[str, list[Instance]]:
        if self._copies[0] != study:
            found: dict[str, list[Instance]] = {}
            for instance in sorted(self._shelf.instances(study), key=lambda each: each.locator):
                found.setdefault(instance.SOPInstanceUID, []).append(instance)
            self._copies = study, found
        return self._copies[1]

    def _read_any(self, instance: Instance) -> Dataset:
        copies = self._by_object(instance.StudyInstanceUID).get(instance.SOPInstanceUID, [])
        if len(copies) < 2:
            return read_file(self.root / instance.locator)
        failures: dict[str, Unreadable | PixelError] = {}
        for copy in copies:
            try:
                dataset = read_file(self.root / copy.locator)
                if copy.SOPClassUID == CT_IMAGE:
                    # A slice may read well and still hold damaged pixels.
                    grey_values(dataset)
            except (Unreadable, PixelError) as error:
                failures[copy.locator] = error
            else:
                self._tell(failures, "; another copy of the object is read")
                return dataset
        own = failures.pop(instance.locator)
        self._tell(failures)
        raise own if isinstance(own, Unreadable) else Unreadable(str(own)) from own

    def _tell(self, failures: Mapping[str, Exception], more: str = "") -> None:
        found = [Problem(place, f"{error}{more}") for place, error in failures.items()]
        self.problems += [problem for problem in found if problem not in self.problems]

    def _scan(self, progress: Progress | None) -> None:
        total = sum(1 for _ in self._files()) if progress else None
        done = 0
        for done, path in enumerate(self._files(self._leave_out), start=1):
            name = os.path.relpath(path, self.root)
            try:
                instance = _read_header(path, name)
            except Unreadable as error:
                self._add_document(path, name, error)
            else:
                if instance.SOPClassUID != MEDIA_DIRECTORY:
                    self._shelf.add(instance)
            if progress and done % REPORT_EVERY == 0:
                progress(done, total)
        if progress:
            progress(done, total)
        self._shelf.pack()
        self.problems.sort(key=lambda problem: problem.place)
        self._scanned = True

    def _add_document(self, path: str, name: str, error: Unreadable) -> None:
        """Take a file that is no DICOM for one with annotations, or say what is wrong with it."""
        try:
            if not name.lower().endswith(SUFFIXES):
                raise error
            self._documents.add(Path(path), name)
        except Unreadable as cause:
            self.problems.append(Problem(name, str(cause)))

    def _leave_out(self, folder: str, error: SourceError) -> None:
        self.problems.append(Problem(os.path.relpath(folder, self.root), str(error), type(error)))

    def _files(self, leave_out: Callable[[str, SourceError], None] = lambda folder, error: None) -> Iterator[str]:
        """Every file, in one order; `leave_out` is told of each folder that is not looked into."""

        def closed(error: OSError) -> None:
            cause = error.strerror or "it cannot be listed"
            leave_out(str(error.filename), FolderLeftOut(f"what the folder holds is left out: {cause}"))

        for folder, subfolders, names in os.walk(self.root, onerror=closed):
            subfolders.sort()
            for name in subfolders:
                if os.path.islink(path := os.path.join(folder, name)):
                    leave_out(path, FolderLeftOut("a link to a folder, which is not followed"))
            for name in sorted(names):
                if name != "DICOMDIR":
                    yield os.path.join(folder, name)


def read_file(path: Path) -> Dataset:
    """Read a whole DICOM file, with or without preamble.

    Raises
    ------
    Unreadable : one sentence, without the name, on why it cannot be read.
    """
    return _read(str(path), header_only=False)


def _read_header(path: str, name: str) -> Instance:
    dataset = _read(path, header_only=True)
    try:
        return from_dataset(dataset, locator=name)
    except IncompleteHeader as error:
        raise Unreadable(f"{error}; the file may be truncated") from None


def read_stream(file: BinaryIO, header_only: bool = False) -> Dataset:
    """Read a DICOM file out of an open stream.

    Raises
    ------
    Unreadable : one sentence on why it cannot be read.
    """
    watched = _Watched(file)
    try:
        if _inflates_without_end(file):
            raise Unreadable(f"its deflated content is larger than {MAX_INFLATED_BYTES // 2**20} MB")
        dataset = pydicom.dcmread(
            watched,
            force=_begins_without_preamble(file),
            stop_before_pixels=header_only,
            specific_tags=list(HEADER_TAGS) if header_only else None,
        )
        if watched.ended_early and not header_only:
            # Left to itself, a report that was cut gives those of its measurements that were left.
            raise EOFError
        return dataset
    except InvalidDicomError:
        raise Unreadable("not a DICOM file") from None
    except OSError as error:
        # Without a reason of the operating system it is pydicom's own, for an item that is not there.
        raise Unreadable(error.strerror or "its DICOM structure is damaged or truncated") from None
    except zlib.error:
        raise Unreadable("its deflated content is damaged or truncated") from None
    except EOFError:
        raise Unreadable("truncated: it ends in the middle of an element") from None
    except DECODE_ERRORS:
        raise Unreadable("its DICOM structure is damaged") from None


def _read(path: str, header_only: bool) -> Dataset:
    try:
        if not S_ISREG(os.stat(path).st_mode):
            # Opening a pipe would wait for a writer for ever.
            raise Unreadable("not a file")
        with open(path, "rb") as file:
            return read_stream(file, header_only)
    except OSError as error:
        raise Unreadable(error.strerror or "cannot be read") from None


def _inflates_without_end(file: BinaryIO) -> bool:
    """Tell whether a deflated object is larger than any honest one: a megabyte of file may hold a gigabyte."""
    start = file.read(PREAMBLE_BYTES + 1024)
    file.seek(0)
    if start[128:132] != b"DICM" or DEFLATED not in start:
        return False
    # What is deflated begins behind group 0002, whose length is its first element.
    file.seek(144 + int.from_bytes(start[140:144], "little"))
    inflating, left = zlib.decompressobj(-zlib.MAX_WBITS), MAX_INFLATED_BYTES
    waiting = file.read(PIECE_BYTES)
    while waiting and left >= 0 and not inflating.eof:
        left -= len(inflating.decompress(waiting, PIECE_BYTES))
        waiting = inflating.unconsumed_tail or file.read(PIECE_BYTES)
    file.seek(0)
    return left < 0


class _Watched:
    """A stream that notes whether more was to be read from it than it holds."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        place = file.tell()
        self._bytes = file.seek(0, os.SEEK_END)
        file.seek(place)
        self.ended_early = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, size: int = -1) -> bytes:
        """Read as the stream does. Zeros after the last element are padding."""
        # A header may claim gigabytes, for which Python would make room before it reads.
        data = self._file.read(min(size, self._bytes))
        if 0 < len(data) < size and (size > TAG_BYTES or data.strip(b"\0")):
            self.ended_early = True
        return data


def _begins_without_preamble(file: BinaryIO) -> bool:
    """Tell whether a file starts right with an element of group 0002 or 0008, as old exports do."""
    start = file.read(PREAMBLE_BYTES)
    file.seek(0)
    return start[128:] != b"DICM" and start[:2] in (b"\x02\x00", b"\x08\x00") and start[3:4] == b"\x00"


def _stated(values: Iterable[str]) -> str:
    """The first value that is not empty."""
    return next((value for value in values if value), "")
