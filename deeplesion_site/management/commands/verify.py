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
        "Hash every stored slice, archive and file of trainings and evaluations again, look for files that nobody "
        "knows, compare manifests with what was published, and look whether the database holds every constraint and "
        "every row keeps it. What was made before hashes were kept is named as not checked. Exit status 1 when "
        "anything is wrong."
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
                ("models and evaluations", check_files.results()),
                ("archives", check_files.archives()),
            ):
                found = list(problems)
                open_ones = [each for each in found if isinstance(each, check_files.NotChecked)]
                bad = [each for each in found if not isinstance(each, check_files.NotChecked)]
                wrong += len(bad)
                counted = ((len(bad), "problems"), (len(open_ones), "files not checked"))
                self.stdout.write(f"{title}: {', '.join(f'{n:,} {what}' for n, what in counted if n) or 'good'}")
                for sentences in (bad, open_ones):
                    for sentence in sentences if options["all"] else sentences[:SHOWN]:
                        self.stdout.write(f"  {sentence}")
        if since:
            self.stdout.write(
                f"A harvest or import is at work: what came since {since:%Y-%m-%d %H:%M %Z} may get a row yet and was "
                "not looked at."
            )
        if wrong:
            raise CommandError(f"{wrong:,} problems; restore what is damaged from a backup")
