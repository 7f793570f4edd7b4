"""manage.py backup FOLDER: the dataset into a folder, the site running."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from datasets.management.failures import one_sentence
from datasets.management.progress import bar
from deeplesion_site.upkeep import backup


class Command(BaseCommand):
    help = (
        "Copy the database and every file of DATA_DIR into FOLDER; run again, it copies what is new. The keys "
        "(IDENTITY_KEY_FILE, SECRET_KEY) and lists of accession numbers are left out on purpose: keep the keys "
        "somewhere else."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        with one_sentence(), bar("Back up", "files", always=options["verbosity"] > 1) as progress:
            counted = backup.back_up(options["folder"], progress)
        self.stdout.write(
            f"{counted['files']:,} files, {counted['bytes'] / 1e6:,.1f} MB; {counted['copied']:,} copied. "
            "Back up the identity key apart from this folder."
        )
