"""Harvest a PACS: its bookmarks become lesions of a collection, which are located next where a regressor is there."""

from dataclasses import dataclass, field
from typing import Any

from datasets.pacs.source import SourceUnreachable
from datasets.services.harvest import HarvestStopped, Report, places
from datasets.services.harvest.order import find
from workers import locating
from workers.harvesting import harvest_now, let_go, orders
from workers.kind import Kind
from workers.kinds import locate
from workers.models import Job
from workers.params import Params
from workers.run import Run


@dataclass(frozen=True)
class HarvestParams(Params):
    """What `harvesting.params_of` makes of an order: its name, and what may be shown of it."""

    order: str
    collection: str
    source: str
    context: str
    accession_numbers: int = 0
    first_date: str = ""
    last_date: str = ""
    annotations: list[str] = field(default_factory=list)
    since_last: bool = False
    documents: int = 0
    dry_run: bool = False
    """Count what a harvest would take, and take nothing."""


def work(params: HarvestParams, run: Run) -> dict[str, Any]:
    """Work off an order that was kept.

    Problems and notes name places in the source: a terminal alone sees them, or a file for its owner's eyes alone.
    """
    try:
        report = harvest_now(find(params.order, orders()), run, dry_run=params.dry_run)
    except HarvestStopped as stopped:
        _write_places(params, run, stopped.report)
        raise
    _write_places(params, run, report)
    for line in (*report.problems, *report.notes):
        run.tell(line)
    if not params.dry_run:
        run.afterwards(lambda: let_go(params.order, with_places=not report.named_in))
        if new := locating.wanted(params.collection):
            run.then(locate.KIND.name, new)
    return report.as_json()


def _write_places(params: HarvestParams, run: Run, report: Report) -> None:
    """Write down where the problems lie, unless somebody at a terminal is told."""
    lines = [] if run.watched else [*report.problems, *report.notes]
    report.named_in = places.write(params.order, orders(), lines)


KIND = Kind("harvest", "harvest", Job.Queue.IO, HarvestParams, work, transient=(SourceUnreachable,))
