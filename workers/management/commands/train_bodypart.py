"""`manage.py train_bodypart`: train the body-part regressor on a release; its lesions are located next."""

from argparse import ArgumentParser
from typing import Any

from django.core.management import call_command
from django.core.management.base import CommandError

from detection.bodypart.errors import BodyPartError
from detection.bodypart.settings import PRESETS
from workers.kinds.bodypart import KIND
from workers.management.job_command import JobCommand


class Command(JobCommand):
    help = "Learns from a release's slices alone, without any label, where in the body a slice lies."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("release", metavar="RELEASE")
        parser.add_argument("--preset", choices=sorted(PRESETS), default="small")
        parser.add_argument("--steps", type=int, help="instead of the preset's")
        parser.add_argument(
            "--phantom",
            type=int,
            default=0,
            metavar="PATIENTS",
            help="for a release of phantom patients: measure rank correlation and landmark error on so many new ones",
        )

    def handle(self, *, release: str, preset: str, steps: int | None, phantom: int, wait: bool, **_: Any) -> None:
        try:
            params = {"release": release, "preset": preset, "steps": steps, "phantom": phantom}
            job = self.job(KIND.name, params, wait=wait, otherwise="no regressor was kept")
        except BodyPartError as error:
            raise CommandError(str(error)) from None
        if job is not None:
            version = job.result["version"]
            self.stdout.write(f"{version} is trained.")
            # The job has sent for locating; asked for the same, this waits for that very job.
            call_command("locate", release, model=version, wait=wait, stdout=self.stdout)
