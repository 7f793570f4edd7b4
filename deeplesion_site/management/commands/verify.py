"""manage.py verify: is everything there, and as it was written?"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from datasets.management.failures import one_sentence
from datasets.management.progress import bar
from deeplesion_site.upkeep import check_database, check_files

SHOWN = 20


class Command(BaseCommand):
    help = (
        "Hash every stored slice, checkpoint and archive again, look for files that nobody knows, compare manifests "
        "with what was published, and check every constraint of the database. Exit status 1 when anything is wrong."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--all", action="store_true", help=f"name every problem, not the first {SHOWN} of a kind")

    def handle(self, *args: Any, **options: Any) -> None:
        wrong = 0
        with one_sentence(), bar("Hash", "slices", always=options["verbosity"] > 1) as progress:
            connection.ensure_connection()
            since = check_files.at_work_since()
            for title, problems in (
                ("database", check_database.integrity()),
                ("foreign keys", check_database.foreign_keys()),
                ("constraints", check_database.constraints()),
                ("triggers", check_database.triggers()),
                ("slices", check_files.slices(progress)),
                ("files without a row", check_files.orphans()),
                ("manifests", check_files.manifests()),
                ("models", check_files.models()),
                ("archives", check_files.archives()),
            ):
                found = list(problems)
                wrong += len(found)
                self.stdout.write(f"{title}: {f'{len(found):,} problems' if found else 'good'}")
                for sentence in found if options["all"] else found[:SHOWN]:
                    self.stdout.write(f"  {sentence}")
        if since:
            self.stdout.write(
                f"A harvest or import is at work: what came since {since:%Y-%m-%d %H:%M %Z} may get a row yet and was "
                "not looked at."
            )
        if wrong:
            raise CommandError(f"{wrong:,} problems; restore what is damaged from a backup")
