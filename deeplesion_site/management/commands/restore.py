"""manage.py restore FOLDER: a backup into an empty installation."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from datasets.management.failures import one_sentence
from datasets.management.progress import bar
from deeplesion_site.upkeep import restore


class Command(BaseCommand):
    help = "Bring a backup back into an empty DATA_DIR and an empty database, and verify it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        with one_sentence(), bar("Restore", "files", always=options["verbosity"] > 1) as progress:
            counted = restore.restore(options["folder"], progress)
        self.stdout.write(f"{counted['files']:,} files, {counted['bytes'] / 1e6:,.1f} MB are back.")
        call_command("migrate", verbosity=0)
        with one_sentence():
            late = restore.leave_out_strangers(options["folder"])
        if late:
            self.stdout.write(f"{late:,} files and folders that the database does not know are left out.")
        call_command("verify", stdout=self.stdout)
