"""`manage.py curate`: mark noise and merge duplicates again, after thresholds changed."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from datasets.management.failures import one_sentence
from datasets.models import Collection
from datasets.services.curate import curate


class Command(BaseCommand):
    help = "Merges duplicate marks and marks what may be noise. A harvest does this by itself."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("collection", nargs="?", help="short name; all hospitals if none is given")

    def handle(self, *, collection: str | None, **_: Any) -> None:
        chosen = Collection.objects.filter(kind=Collection.Kind.HOSPITAL)
        if collection is not None:
            chosen = chosen.filter(slug=collection)
            if not chosen:
                raise CommandError(f"there is no harvested collection {collection}")
        for each in chosen:
            with one_sentence("nothing was changed"):
                counts = curate(collection=each)
            self.stdout.write(
                f"{each.slug}: {counts['lesions']} lesions, {counts['merged']} marks merged, "
                f"{counts['possibly_noisy']} possibly noisy"
            )
