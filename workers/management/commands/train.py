"""`manage.py train RELEASE`: train the lesion detector on a published release, then evaluate it in the test split."""

from argparse import ArgumentParser
from typing import Any

from django.core.management import call_command
from django.core.management.base import CommandError

from datasets.management.failures import one_sentence
from detection.errors import DetectorError
from detection.models import TrainingRun
from detection.presets import PRESETS
from detection.services.runs import OPTIONS
from workers import training
from workers.kinds.train import KIND
from workers.management.job_command import JobCommand


class Command(JobCommand):
    help = "Trains the lesion detector on a published release; run again, it goes on from the newest checkpoint."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("release", metavar="RELEASE", help="name of a published release")
        parser.add_argument("--preset", default="paper", help=f"{', '.join(PRESETS)} (paper)")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--fraction", type=float, default=1.0, help="share of the training patients (1)")
        parser.add_argument("--weights", default="", help="imagenet or random; what suits the preset unless given")
        beyond = parser.add_argument_group("beyond the preset", "see python -m detection.train --help")
        beyond.add_argument("--backbone")
        beyond.add_argument("--batch", type=int)
        beyond.add_argument("--epochs", type=int)
        beyond.add_argument("--learning-rate", type=float)
        beyond.add_argument("--precision")
        beyond.add_argument("--spacing", type=float)
        beyond.add_argument("--flip", action="store_true", default=None)
        beyond.add_argument("--scale", type=float)
        beyond.add_argument("--z-jitter", type=float)
        beyond.add_argument("--ignore-unannotated", type=float)

    def handle(self, *, wait: bool, **options: Any) -> None:
        params = {name: options[name] for name in ("release", "preset", "seed", "fraction", "weights")}
        params |= {name: options[name] for name in OPTIONS if options[name] is not None}
        try:
            with one_sentence():
                run = training.request(params)
                if run.state == TrainingRun.State.TRAINED:
                    self.stdout.write(f"Run {run.pk} was trained with these very parameters; see /runs/{run.pk}/")
                elif wait:
                    self.train(run, params)
                else:
                    self.queue(KIND.name, params, f"Run {run.pk}", f"/runs/{run.pk}/")
        except DetectorError as error:
            raise CommandError(str(error)) from None

    def train(self, run: TrainingRun, params: dict[str, Any]) -> None:
        """Train, then evaluate."""
        job = self.job(KIND.name, params, wait=True)
        if job is not None:
            made = job.result
            self.stdout.write(f"Run {run.pk} is trained: {made['steps']} steps in {made['seconds']:.0f} s")
        call_command("evaluate", run.pk, wait=True, stdout=self.stdout)
