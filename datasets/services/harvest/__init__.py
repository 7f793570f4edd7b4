"""Harvest: from the bookmarks of a PACS to lesions on de-identified slices, study by study.

A study's numbers are reserved first, its slices written second, its lesions committed last, so that a harvest can be
interrupted anywhere and run again. Source: paper section 2.2.1.
"""

import errno
from collections.abc import Callable, Iterable
from datetime import date

from datasets.models import Collection
from datasets.pacs import deidentify
from datasets.pacs.deidentify import Pseudonymiser
from datasets.pacs.source import Progress as ScanProgress
from datasets.pacs.source import Source, SourceError, Study
from datasets.services.curate import curate
from datasets.services.harvest.numbers import Visit
from datasets.services.harvest.report import Report
from datasets.services.harvest.slices import DEFAULT_CONTEXT_MM
from datasets.services.harvest.study import StudyHarvest

__all__ = ["DEFAULT_CONTEXT_MM", "HarvestStopped", "Report", "harvest"]


class HarvestStopped(RuntimeError):
    """The harvest cannot go on; what it has committed is whole."""


def harvest(
    *,
    source: Source,
    collection: Collection,
    pseudonymiser: Pseudonymiser,
    context_mm: float | None = DEFAULT_CONTEXT_MM,
    dry_run: bool = False,
    on_scan: ScanProgress | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Take every bookmark of a source that is not known yet, then curate.

    Parameters
    ----------
    collection : saved; for a dry run it need not be.
    context_mm : how much of the volume to keep on each side of a lesion; None keeps the whole volume.
    dry_run : resolve and count, read no pixels, write nothing.

    Raises
    ------
    SourceError : the source cannot be listed. HarvestStopped : the disk is full or cannot be written.
    """
    report = Report(dry_run=dry_run)
    run = StudyHarvest(source, collection, pseudonymiser, context_mm, report)
    visits = _in_order(source.studies(progress=on_scan), pseudonymiser)
    for done, (study, visit) in enumerate(visits):
        progress(done, len(visits))
        try:
            run.study(study, visit)
        except SourceError as error:
            report.problems.append(f"a study: {error}")
        except OSError as error:
            cause = "the disk is full" if error.errno == errno.ENOSPC else (error.strerror or "it cannot be written")
            raise HarvestStopped(
                f"The harvest stopped at study {done + 1} of {len(visits)}: {cause}. "
                "What was committed is whole; run it again when there is room."
            ) from error
    progress(len(visits), len(visits))
    report.problems += [str(problem) for problem in source.problems]
    if not dry_run:
        report.curated = curate(collection=collection)
    return report


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
