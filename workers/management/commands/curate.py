"""`manage.py curate`: mark noise, merge duplicates and propose pairs again, after thresholds changed."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from datasets.models import Collection
from workers.kinds.curate import KIND
from workers.management.job_command import JobCommand


class Command(JobCommand):
    help = "Merges duplicate marks, proposes near ones and marks what may be noise. A harvest does this by itself."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("collection", nargs="?", help="short name; all hospitals if none is given")

    def handle(self, *, collection: str | None, wait: bool, **_: Any) -> None:
        chosen = Collection.objects.filter(kind=Collection.Kind.HOSPITAL)
        if collection is not None:
            chosen = chosen.filter(slug=collection)
            if not chosen:
                raise CommandError(f"there is no harvested collection {collection}")
        for each in chosen:
            job = self.job(KIND.name, {"collection": each.slug}, wait=wait, otherwise="what was curated stays")
            if job is not None:
                counts = job.result
                self.stdout.write(
                    f"{each.slug}: {counts['lesions']} lesions, {counts['merged']} marks merged, "
                    f"{counts['proposed']} pairs proposed, {counts['possibly_noisy']} possibly noisy"
                )
