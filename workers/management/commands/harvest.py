"""`manage.py harvest SOURCE`: bookmarks of a PACS to lesions."""

import re
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from datasets.management.failures import one_sentence
from datasets.management.options import check_collection
from datasets.pacs.deidentify import KeyUnusable
from datasets.pacs.source import SourceError
from datasets.services.harvest import DEFAULT_CONTEXT_MM, HarvestStopped, Report
from datasets.services.harvest.order import Order, accession_numbers, context_mm
from workers import harvesting, schedules
from workers.kinds.harvest import KIND
from workers.management.job_command import JobCommand, bars
from workers.run import Rehearsal

MOST_BYTES = 8 << 20
"""Of a list of accession numbers."""
NEGATIVE = re.compile(r"-[.\d]")


class Command(JobCommand):
    help = "Takes the RECIST bookmarks of a source into a collection: slices, lesions, and why the others gave none."

    def run_from_argv(self, argv: list[str]) -> None:
        """Take what follows --context for its value: `-3mm` alone would be taken for an option of that name."""
        joined = argv[:2]
        for word in argv[2:]:
            if joined[-1] == "--context" and NEGATIVE.match(word):
                joined[-1] += f"={word}"
            else:
                joined.append(word)
        super().run_from_argv(joined)

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("source", help="dir:///path, dicomweb+https://host/root or dimse://AET@host:port")
        parser.add_argument("--collection", default="hospital", help="short name of the collection (default hospital)")
        parser.add_argument("--title", default="", help="title of a new collection")
        which = parser.add_argument_group("which studies (all conditions hold together)")
        which.add_argument("--accessions", metavar="FILE|-", help="those of a list, one accession number per line")
        which.add_argument("--from", dest="first_date", type=day, metavar="DATE", help="on or after 2024-01-31")
        which.add_argument("--to", dest="last_date", type=day, metavar="DATE", help="on or before 2024-12-31")
        which.add_argument("--annotations", default="", metavar="SR,PR", help="with reports or presentation states")
        which.add_argument("--since-last", action="store_true", help="what changed since this source was harvested")
        parser.add_argument(
            "--documents",
            type=Path,
            action="append",
            metavar="PATH",
            help="a file with annotations that the PACS does not hold: AIM XML, or an export as CSV or XML",
        )
        parser.add_argument(
            "--context",
            type=context,
            default=DEFAULT_CONTEXT_MM,
            help="how much to keep on each side of a lesion: 30mm (default), or `series` for the whole volume",
        )
        parser.add_argument(
            "--every", type=int, metavar="HOURS", help="not now alone: again every so many hours, what changed since"
        )
        parser.add_argument("--progress", action="store_true", help="show progress without a terminal, too")
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="show what would be taken, write nothing; it is no job, and works in this terminal",
        )

    def handle(self, *, dry_run: bool, wait: bool, progress: bool, every: int | None, **options: Any) -> None:
        check_collection(options["collection"], options["title"])
        try:
            with one_sentence("what was harvested is whole"):
                order = ordered(options)
                if every is not None:
                    self.plan(order, every)
                elif dry_run:
                    self.tell(self.dry_run(order, progress))
                else:
                    self.harvest(order, wait, progress)
        except HarvestStopped as stopped:
            if stopped.report.studies:
                self.tell_counts(stopped.report)
            raise CommandError(str(stopped)) from None
        except SourceError as error:
            raise CommandError(error.told) from None
        except KeyUnusable as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            raise CommandError("Interrupted before anything was harvested.") from None

    def dry_run(self, order: Order, always: bool) -> Report:
        """Show what a harvest would do, and do nothing; it leaves no trace, so that it is no job."""
        self.say(order.lines())
        with bars(always) as shown:
            return harvesting.harvest_now(order, Rehearsal(shown), dry_run=True)

    def harvest(self, order: Order, wait: bool, always: bool) -> None:
        """Harvest, as a job."""
        job = self.job(KIND.name, harvesting.params_of(order), wait=wait, always=always)
        if job is not None:
            self.tell_counts(Report.from_json(job.result))
            self.locate_new(order.collection, wait)
            if job.result["problems"]:
                sys.exit(1)

    def plan(self, order: Order, every: int) -> None:
        """Let the harvest come again; beat starts it."""
        params = harvesting.params_of(replace(order, since_last=True))
        made = schedules.plan(params=params, every_hours=every)
        self.stdout.write(f"Schedule {made.pk}: harvested {made.every} from now on; /jobs/schedules/ lists it.")

    def tell(self, report: Report) -> None:
        """Print the report of a dry run; problems go to standard error and end in an exit status that is not 0."""
        self.say(report.details)
        self.tell_counts(report)
        if report.problems:
            sys.exit(1)

    def tell_counts(self, report: Report) -> None:
        """Print what was found, and what went wrong to standard error."""
        self.say([*report.notes, *report.lines()])
        for problem in report.problems:
            self.stderr.write(problem)

    def say(self, lines: Iterable[str]) -> None:
        """Print lines; names of files need not be text, which standard error alone shows by itself as \\x.. then."""
        encoding = getattr(self.stdout, "encoding", None) or "utf-8"
        self.stdout.write("\n".join(lines).encode(encoding, "backslashreplace").decode(encoding))


def ordered(options: dict[str, Any]) -> Order:
    """The order that the options make up.

    Raises
    ------
    BadOrder, OSError
    """
    return Order(
        source=options["source"],
        collection=options["collection"],
        title=options["title"],
        accession_numbers=listed(options["accessions"]) if options["accessions"] else (),
        first_date=options["first_date"],
        last_date=options["last_date"],
        annotated_in=tuple(filter(None, options["annotations"].upper().replace(" ", "").split(","))),
        since_last=options["since_last"],
        documents=tuple(path.absolute() for path in options["documents"] or ()),
        context_mm=options["context"],
    )


def listed(name: str) -> tuple[str, ...]:
    """The accession numbers in a file, or on standard input for `-`."""
    if name == "-":
        return accession_numbers(sys.stdin)
    try:
        with Path(name).open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise CommandError(f"the list of accession numbers is larger than {MOST_BYTES >> 20} MB")
        return accession_numbers(content.decode("utf-8").splitlines())
    except UnicodeDecodeError:
        raise CommandError("the list of accession numbers is no text in UTF-8") from None
    except OSError as error:
        raise CommandError(f"the list of accession numbers cannot be read: {error.strerror}") from None


def day(text: str) -> date:
    """Read a day, as in 2024-01-31."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no day, as in 2024-01-31") from None


def context(text: str) -> float | None:
    """Read `30mm` or `series`."""
    try:
        return context_mm(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is neither millimetres from 0, as in 30mm, nor `series`") from None
