"""`manage.py harvest SOURCE`: bookmarks of a PACS to lesions."""

import sys
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from datasets.management.progress import bar
from datasets.models import Collection
from datasets.pacs.addresses import open_source
from datasets.pacs.deidentify import KeyUnusable, Pseudonymiser, load_or_create_key
from datasets.pacs.source import SourceError
from datasets.services.harvest import DEFAULT_CONTEXT_MM, HarvestStopped, Report, harvest
from workers import engine
from workers.models import Job

SHOWN = 50


def context(text: str) -> float | None:
    """Read `30mm` or `series`."""
    if text == "series":
        return None
    try:
        value = float(text.removesuffix("mm"))
    except ValueError:
        value = -1.0
    if not 0 <= value < 10_000:
        raise ArgumentTypeError(f"{text!r} is neither millimetres, as in 30mm, nor `series`")
    return value


class Command(BaseCommand):
    help = "Takes the RECIST bookmarks of a source into a collection: slices, lesions, and why the others gave none."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "source",
            help="dir:///path, dicomweb+https://host/root or dimse://AET@host:port",
        )
        parser.add_argument("--collection", default="hospital", help="short name of the collection (default hospital)")
        parser.add_argument("--title", default="", help="title of a new collection")
        parser.add_argument(
            "--context",
            type=context,
            default=DEFAULT_CONTEXT_MM,
            help="how much to keep on each side of a lesion: 30mm (default), or `series` for the whole volume",
        )
        parser.add_argument("--progress", action="store_true", help="show progress without a terminal, too")
        parser.add_argument("--dry-run", action="store_true", help="show what would be taken, write nothing")

    def handle(self, *, source: str, collection: str, title: str, dry_run: bool, **options: Any) -> None:
        progress_bars = options["progress"]
        try:
            opened = open_source(source)
            key = load_or_create_key(settings.IDENTITY_KEY_FILE)
        except (SourceError, KeyUnusable) as error:
            raise CommandError(str(error)) from None
        kept: list[Report] = []

        def work(params: dict[str, Any], progress: engine.Progress) -> dict[str, Any]:
            with bar("Headers", "files", progress_bars) as scanning:
                report = harvest(
                    source=opened,
                    collection=target,
                    pseudonymiser=Pseudonymiser(key),
                    context_mm=options["context"],
                    dry_run=dry_run,
                    on_scan=scanning,
                    progress=progress,
                )
            kept.append(report)
            return report.as_json()

        target = Collection.objects.filter(slug=collection).first() or Collection(
            slug=collection, title=title or collection.replace("-", " ").capitalize(), kind=Collection.Kind.HOSPITAL
        )
        if target.kind != Collection.Kind.HOSPITAL:
            raise CommandError(f"{collection} is a published dataset; harvest into a collection of its own")
        try:
            with bar("Harvest", "studies", progress_bars) as shown:
                if dry_run:
                    work({}, shown)
                else:
                    target.full_clean()
                    target.save()
                    engine.run_here(
                        kind=Job.Kind.HARVEST,
                        params={"collection": collection},
                        work=work,
                        progress=shown,
                    )
        except (SourceError, HarvestStopped) as error:
            raise CommandError(str(error)) from None
        self.tell(kept[0])

    def tell(self, report: Report) -> None:
        """Print the report; problems go to standard error and end in an exit status that is not 0."""
        self.stdout.write("\n".join(report.lines()))
        if report.problems:
            for problem in report.problems[:SHOWN]:
                self.stderr.write(problem)
            if len(report.problems) > SHOWN:
                self.stderr.write(f"... and {len(report.problems) - SHOWN} more")
            sys.exit(1)
