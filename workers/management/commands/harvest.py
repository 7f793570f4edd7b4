"""`manage.py harvest SOURCE`: bookmarks of a PACS to lesions."""

import secrets
import sys
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from datasets.management.failures import one_sentence
from datasets.management.progress import bar
from datasets.models import Collection
from datasets.pacs.addresses import open_source
from datasets.pacs.deidentify import KEY_BYTES, KeyUnusable, Pseudonymiser, load_or_create_key
from datasets.pacs.source import Source, SourceError
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
        try:
            with one_sentence():
                report = self.harvest(open_source(source), self.target(collection, title), dry_run, options)
        except (SourceError, KeyUnusable, HarvestStopped) as error:
            raise CommandError(str(error)) from None
        self.tell(report)

    def target(self, slug: str, title: str) -> Collection:
        """The collection to harvest into; a new one is not saved yet."""
        known = Collection.objects.filter(slug=slug).first()
        if known is not None and known.kind != Collection.Kind.HOSPITAL:
            raise CommandError(f"{slug} is a published dataset; harvest into a collection of its own")
        made = Collection(slug=slug, title=title or slug.replace("-", " ").capitalize(), kind=Collection.Kind.HOSPITAL)
        if known is None:
            made.full_clean()
        return known or made

    def harvest(self, source: Source, target: Collection, dry_run: bool, options: dict[str, Any]) -> Report:
        """Harvest, recorded as a job; a dry run leaves no trace, not even a key."""
        key_file = settings.IDENTITY_KEY_FILE
        key = secrets.token_bytes(KEY_BYTES) if dry_run and not key_file.exists() else load_or_create_key(key_file)
        kept: list[Report] = []

        def work(params: dict[str, Any], progress: engine.Progress) -> dict[str, Any]:
            with bar("Headers", "files", options["progress"]) as scanning:
                report = harvest(
                    source=source,
                    collection=target,
                    pseudonymiser=Pseudonymiser(key),
                    context_mm=options["context"],
                    dry_run=dry_run,
                    on_scan=scanning,
                    progress=progress,
                )
            kept.append(report)
            return report.as_json()

        with bar("Harvest", "studies", options["progress"]) as shown:
            if dry_run:
                work({}, shown)
            else:
                target.save()
                params = {"collection": target.slug}
                engine.run_here(kind=Job.Kind.HARVEST, params=params, work=work, progress=shown)
        return kept[0]

    def tell(self, report: Report) -> None:
        """Print the report; problems go to standard error and end in an exit status that is not 0."""
        if report.dry_run:
            self.stdout.write("\n".join(report.details[:SHOWN]))
            if len(report.details) > SHOWN:
                self.stdout.write(f"... and {len(report.details) - SHOWN} more")
        self.stdout.write("\n".join(report.lines()))
        if report.problems:
            for problem in report.problems[:SHOWN]:
                self.stderr.write(problem)
            if len(report.problems) > SHOWN:
                self.stderr.write(f"... and {len(report.problems) - SHOWN} more")
            sys.exit(1)
