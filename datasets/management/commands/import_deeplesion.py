"""`manage.py import_deeplesion`: the published DeepLesion, or any table in its format."""

import argparse
import gc
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from datasets import dl_info
from datasets.management.failures import Incomplete, one_sentence
from datasets.management.options import check_collection
from datasets.management.progress import bar
from datasets.management.words import counted
from datasets.services.import_deeplesion import (
    BadRows,
    ReleaseRefusedAfterwards,
    Summary,
    import_deeplesion,
)

SHOWN = 50
"""Problems of each sort that are printed; the rest is counted."""

SINGULAR = {"patients": "patient", "studies": "study", "series": "series", "slices": "slice", "lesions": "lesion"}


class Command(BaseCommand):
    """Exit status 0 when all went in, 1 when anything was reported as bad or missing."""

    help = "Import DL_info.csv and, with --images, Images_png. Running it again adds nothing."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("csv", type=Path, metavar="CSV", help="DL_info.csv")
        parser.add_argument("--images", type=Path, metavar="DIR", help="Images_png; the files stay where they are")
        parser.add_argument("--copy", action="store_true", help="copy the images to our own storage")
        parser.add_argument("--release", default="", metavar="NAME", help="publish a release with the official split")
        parser.add_argument("--strict", action="store_true", help="import nothing when any row is bad")
        parser.add_argument("--collection", default="deeplesion", metavar="SLUG", help="where the rows go")
        parser.add_argument("--progress", action="store_true", help="show progress without a terminal, too")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["copy"] and options["images"] is None:
            raise CommandError("--copy needs --images")
        check_collection(options["collection"])
        with one_sentence("nothing was imported"):
            try:
                summary = self._import(options)
            except (BadRows, ReleaseRefusedAfterwards) as refused:
                self._report(refused.summary)
                raise
        self._report(summary)
        self._say(summary, options["release"])
        if summary.bad or summary.image_problems:
            raise Incomplete("not everything was good; what was left out is listed above")

    def _import(self, options: dict[str, Any]) -> Summary:
        always = options["progress"]
        # What is loaded by now stays loaded: the collector need not walk through it again every few thousand rows.
        gc.freeze()
        with (
            bar("Images", "series", always) as on_images,
            bar("Rows", "lines", always) as on_rows,
            bar("Pixels", "slices", always) as on_pixels,
        ):
            return import_deeplesion(
                Path(options["csv"]),
                collection=options["collection"],
                images=Path(options["images"]) if options["images"] else None,
                copy=options["copy"],
                release=options["release"],
                strict=options["strict"],
                on_images=on_images,
                on_rows=on_rows,
                on_pixels=on_pixels,
            )

    def _report(self, summary: Summary) -> None:
        self._list("Bad row", summary.bad)
        self._list("Deviation", summary.deviations)
        self._list("Image", summary.image_problems)

    def _list(self, what: str, problems: list[dl_info.Problem] | list[str]) -> None:
        for problem in problems[:SHOWN]:
            self.stderr.write(f"{what}: {problem}")
        if len(problems) > SHOWN:
            self.stderr.write(f"{what}: and {len(problems) - SHOWN} more")

    def _say(self, summary: Summary, release: str) -> None:
        added = [counted(count, SINGULAR[what], what) for what, count in summary.added.items() if count]
        there = "was there already" if summary.known == 1 else "were there already"
        parts = [
            f"{counted(summary.rows, 'row')} read; added {', '.join(added) or 'nothing'}",
            f"{counted(summary.known, 'lesion')} {there}" if summary.known else "",
            f"{counted(summary.bad_rows, 'bad row')} left out" if summary.bad_rows else "",
            counted(len(summary.deviations), "deviation") if summary.deviations else "",
            f"{counted(len(summary.image_problems), 'image')} missing or damaged" if summary.image_problems else "",
            f"release {release} {'published' if summary.release else 'was there already'}" if release else "",
        ]
        self.stdout.write("; ".join(part for part in parts if part) + ".")
