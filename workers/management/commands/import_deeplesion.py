"""`manage.py import_deeplesion`: the published DeepLesion, or any table in its format."""

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from datasets.management.failures import Incomplete, one_sentence
from datasets.management.options import check_collection
from datasets.words import counted
from workers.kinds import import_download, release
from workers.management.job_command import JobCommand

SINGULAR = {"patients": "patient", "studies": "study", "series": "series", "slices": "slice", "lesions": "lesion"}


class Command(JobCommand):
    """Exit status 0 when all went in, 1 when anything was reported as bad or missing."""

    help = "Import DL_info.csv and, with --images, Images_png. Running it again adds what is new and changes nothing."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("csv", type=Path, metavar="CSV", help="DL_info.csv")
        parser.add_argument("--images", type=Path, metavar="DIR", help="Images_png; the files stay where they are")
        parser.add_argument("--copy", action="store_true", help="copy the images to our own storage")
        parser.add_argument("--release", default="", metavar="NAME", help="publish a release with the official split")
        parser.add_argument("--strict", action="store_true", help="import nothing when any row is bad")
        parser.add_argument("--collection", default="deeplesion", metavar="SLUG", help="where the rows go")
        parser.add_argument("--progress", action="store_true", help="show progress without a terminal, too")

    def handle(self, *, wait: bool, progress: bool, **options: Any) -> None:
        if options["copy"] and options["images"] is None:
            raise CommandError("--copy needs --images")
        check_collection(options["collection"])
        with one_sentence("nothing was imported"):
            params = import_download.params_of(
                Path(options["csv"]),
                images=Path(options["images"]) if options["images"] else None,
                **{name: options[name] for name in ("copy", "release", "strict", "collection")},
            )
        job = self.job(import_download.KIND.name, params, wait=wait, always=progress, otherwise="nothing was imported")
        if job is not None:
            found = job.result
            damaged = self._publish(params, wait, progress) if found["release"] else []
            self._say(found, params["release"], len(damaged))
            self.locate_new(params["collection"], wait)
            if found["rows_left_out"] or found["images_left_out"] or damaged:
                raise Incomplete("not everything was good; what was left out is listed above")

    def _publish(self, params: dict[str, Any], wait: bool, progress: bool) -> list[str]:
        """Wait for the release, which the import has sent for: asked for the same, this is that very job."""
        wanted = {"release": params["release"], "collection": params["collection"]}
        try:
            job = self.job(release.KIND.name, wanted, wait=wait, always=progress)
        except CommandError as error:
            cause = f"the rows were imported, but {params['release']} was not published: {error}"
            raise CommandError(cause) from None
        damaged = list(job.result["damaged"]) if job is not None else []
        for image in damaged:
            self.stderr.write(f"Image: {image}")
        return damaged

    def _say(self, found: dict[str, Any], wanted: str, damaged: int) -> None:
        added = [
            counted(found["added"][what], one, what) for what, one in SINGULAR.items() if found["added"].get(what)
        ]
        there = "was there already" if found["lesions_known"] == 1 else "were there already"
        bad, odd, images = found["rows_left_out"], found["deviations"], found["images_left_out"] + damaged
        parts = [
            f"{counted(found['rows'], 'row')} read; added {', '.join(added) or 'nothing'}",
            f"{counted(found['lesions_known'], 'lesion')} {there}" if found["lesions_known"] else "",
            f"{counted(bad, 'bad row')} left out" if bad else "",
            counted(odd, "deviation") if odd else "",
            f"{counted(images, 'image')} missing or damaged" if images else "",
            f"release {wanted} {'published' if found['release'] else 'was there already'}" if wanted else "",
        ]
        self.stdout.write("; ".join(part for part in parts if part) + ".")
