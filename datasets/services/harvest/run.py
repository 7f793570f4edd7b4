"""One harvest, study by study.

A study's numbers are reserved first, its slices written second, its lesions committed last, so that a harvest can be
interrupted anywhere and run again. Source: paper section 2.2.1.
"""

import errno
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date
from typing import Any

from django.db import transaction

from datasets.models import Collection
from datasets.pacs import deidentify
from datasets.pacs.deidentify import Pseudonymiser
from datasets.pacs.instance import Instance
from datasets.pacs.source import (
    EVERYTHING,
    AccessDenied,
    Problem,
    Query,
    SeveralPatients,
    Source,
    SourceError,
    SourceUnreachable,
    Study,
    TlsFailure,
    of_one_patient,
)
from datasets.pacs.source import Progress as ScanProgress
from datasets.services.curate import curate
from datasets.services.errors import Unfinished
from datasets.services.fence import Fence
from datasets.services.harvest.history import History
from datasets.services.harvest.numbers import Visit
from datasets.services.harvest.report import Report
from datasets.services.harvest.slices import DEFAULT_CONTEXT_MM
from datasets.services.harvest.study import StudyHarvest

GONE = (SourceUnreachable, AccessDenied, TlsFailure)
"""What says that the next study will fare no better."""

PATIENCE = 3
"""Studies in a row that may fail so before the harvest stops."""


class HarvestStopped(Unfinished):
    """The harvest cannot go on; what it has committed is whole, and running it again goes on from there."""

    def __init__(self, sentence: str, report: Report) -> None:
        super().__init__(sentence)
        self.report = report

    @property
    def so_far(self) -> dict[str, Any]:
        return self.report.as_json()


def harvest(
    *,
    source: Source,
    collection: Collection,
    pseudonymiser: Pseudonymiser,
    query: Query = EVERYTHING,
    since_last: bool = False,
    context_mm: float | None = DEFAULT_CONTEXT_MM,
    dry_run: bool = False,
    on_scan: ScanProgress | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    check: Callable[[], None] = lambda: None,
    fence: Fence = transaction.atomic,
) -> Report:
    """Take every bookmark of a source that is not known yet, then curate.

    Parameters
    ----------
    collection : a new one is saved with the first study that has bookmarks; a dry run saves none.
    query : which studies to look at.
    since_last : leave out studies that are as they were when the source was last harvested into the collection.
    context_mm : how much of the volume to keep on each side of a lesion; None keeps the whole volume.
    dry_run : resolve and count, read no pixels, write nothing.
    check : called for every slice, and while it curates; what it raises ends the harvest.

    Raises
    ------
    HarvestStopped : the source cannot be listed or does not answer any more, the disk is full, or Ctrl-C.
    """
    report = Report(dry_run=dry_run)
    run = StudyHarvest(source, collection, pseudonymiser, context_mm, report, check, fence)
    history = History(collection, pseudonymiser, source.label)
    if since_last:
        query = replace(query, changed=history.may_have_changed)
    place = "before its first study"
    try:
        visits = _in_order(source.studies(query, on_scan), pseudonymiser)
        failed = 0
        for done, (study, visit) in enumerate(visits):
            progress(done, len(visits))
            place = f"at study {done + 1} of {len(visits)}"
            report.at = done + 1
            report.studies += 1
            before = len(report.problems) + len(source.problems)
            try:
                instances = _of_one_patient(study, source.instances(study))
                if not query.wants_objects(instances) or (since_last and not history.changed(study, instances)):
                    report.studies, failed = report.studies - 1, 0
                    continue
                run.study(visit, instances)
            except SourceError as error:
                report.add(f"study {done + 1} of {len(visits)} ({_named(study)})", error)
                failed = failed + 1 if isinstance(error, GONE) else 0
                if failed == PATIENCE:
                    cause = f"{PATIENCE} studies in a row failed, the last because {error}"
                    raise _stopped(report, place, cause) from error
                continue
            failed = 0
            if not dry_run:
                whole = before == len(report.problems) + len(source.problems)
                with fence():
                    if whole:
                        history.remember(study, instances)
                    else:
                        history.forget(study)
        progress(len(visits), len(visits))
        place, report.at = "while it curated", 0
        if not dry_run and collection.pk is not None:
            report.curated = curate(collection=collection, progress=lambda *_: check(), fence=fence)
    except SourceError as error:
        report.add("the source", error)
        raise HarvestStopped(f"Nothing was harvested: {error}.", report) from error
    except OSError as error:
        cause = "the disk is full" if error.errno == errno.ENOSPC else (error.strerror or "it cannot be written")
        raise _stopped(report, place, cause) from error
    except KeyboardInterrupt:
        raise _stopped(report, place, "it was interrupted") from None
    finally:
        report.unchanged = history.unchanged
        _take_over(source.problems, query.accession_numbers, report)
    return report


def _of_one_patient(study: Study, instances: list[Instance]) -> list[Instance]:
    if not study.of_one_patient or not of_one_patient(instances):
        raise SeveralPatients("its objects name several patients, so nobody knows whose they are; it is left out")
    return instances


def _named(study: Study) -> str:
    """What a PACS is asked by; for a terminal."""
    accession = f", accession number {study.AccessionNumber}" if study.AccessionNumber else ""
    return f"StudyInstanceUID {study.StudyInstanceUID}{accession}"


def _stopped(report: Report, place: str, cause: str) -> HarvestStopped:
    return HarvestStopped(
        f"The harvest stopped {place}: {cause}. What was committed is whole; run it again and it goes on from there.",
        report,
    )


def _take_over(problems: Iterable[Problem], numbers: Iterable[str], report: Report) -> None:
    """Put what the source left out into the report; an accession number is told by its place in the list."""
    places = {number: f"accession number {place} of the list" for place, number in enumerate(numbers, start=1)}
    for problem in problems:
        report.add_named(places.get(problem.place, problem.place), problem.reason, problem.error.__name__)


def _in_order(studies: Iterable[Study], pseudonymiser: Pseudonymiser) -> list[tuple[Study, Visit]]:
    """Patients by keyed hash, which tells nothing of them; each patient's studies by date."""
    dated = []
    for study in studies:
        patient = pseudonymiser.patient(study.PatientID, study.IssuerOfPatientID, study.StudyInstanceUID)
        dated.append((patient, deidentify.date_of(study.StudyDate), study))
    firsts: dict[str, date] = {}
    for patient, when, _ in dated:
        if when is not None:
            firsts[patient] = min(when, firsts.get(patient, when))
    dated.sort(key=lambda entry: (entry[0], entry[1] or date.max, entry[2].StudyInstanceUID))
    return [
        (study, Visit(patient, pseudonymiser.digest("study", study.StudyInstanceUID), when, firsts.get(patient)))
        for patient, when, study in dated
    ]
