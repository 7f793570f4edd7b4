"""`manage.py evaluate RUN`: detections and FROC of a trained run."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from datasets.management.failures import one_sentence
from detection.errors import DetectorError
from detection.models import Evaluation
from workers import evaluating
from workers.kinds.evaluate import KIND
from workers.management.job_command import JobCommand


class Command(JobCommand):
    help = "Detects lesions in one split of a run's release and scores them; what was done before is not done again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("run", metavar="RUN", type=int, help="number of a trained run")
        parser.add_argument("--checkpoint", default="best", help="best in the validation split (default), or last")
        parser.add_argument("--split", default="test", help="train, val, test or all (test)")
        parser.add_argument("--convention", default="deeplesion", help="deeplesion or strict (deeplesion)")
        parser.add_argument("--iou", type=float, default=0.5, help="overlap from which a lesion is hit (0.5)")

    def handle(self, *, wait: bool, **options: Any) -> None:
        params = {name: options[name] for name in ("run", "checkpoint", "split", "convention", "iou")}
        try:
            with one_sentence():
                evaluation = evaluating.request(params)
                if wait and evaluation.state != Evaluation.State.DONE:
                    self.job(KIND.name, params, wait=True)
                    evaluation.refresh_from_db()
                elif evaluation.state != Evaluation.State.DONE:
                    self.queue(KIND.name, params, "The evaluation", f"/runs/{params['run']}/")
                    return
        except DetectorError as error:
            raise CommandError(str(error)) from None
        points = sorted(evaluation.sensitivity.items(), key=lambda item: float(item[0]))
        found = ", ".join(f"{float(value):.3f} at {point}" for point, value in points)
        self.stdout.write(f"Run {params['run']}, {evaluation}: sensitivity {found} false positives per image")
