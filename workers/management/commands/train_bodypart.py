"""`manage.py train_bodypart`: train the body-part regressor on a release, then locate its lesions."""

from argparse import ArgumentParser
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from datasets.management.failures import one_sentence
from datasets.management.progress import bar
from detection.bodypart.errors import BodyPartError
from detection.bodypart.settings import PRESETS
from workers import engine
from workers.locating import train_bodypart
from workers.models import Job


class Command(BaseCommand):
    help = "Learns from a release's slices alone, without any label, where in the body a slice lies."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("release", metavar="RELEASE")
        parser.add_argument("--preset", choices=sorted(PRESETS), default="small")
        parser.add_argument(
            "--phantom",
            type=int,
            default=0,
            metavar="PATIENTS",
            help="for a release of phantom patients: measure rank correlation and landmark error on so many new ones",
        )

    def handle(self, *, release: str, preset: str, phantom: int, **_: Any) -> None:
        try:
            with one_sentence("no regressor was kept"), bar("Body-part regressor", "steps") as progress:
                made = engine.run_here(
                    kind=Job.Kind.BODYPART,
                    params={"release": release, "preset": preset, "phantom": phantom},
                    work=train_bodypart,
                    progress=progress,
                )
        except BodyPartError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{made['version']} is trained.")
        call_command("locate", release, model=made["version"], stdout=self.stdout)
