"""`manage.py release`: make, publish, list and export releases."""

import argparse
import re
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from datasets import dl_info
from datasets.management.failures import Incomplete, one_sentence
from datasets.management.progress import bar
from datasets.models import Collection, Release
from datasets.selectors.releases import leaks_looked_for
from datasets.services import release as releases
from datasets.services.export import export
from datasets.words import counted
from workers import engine
from workers.kinds import export as packing
from workers.kinds import manifest
from workers.kinds.release import KIND
from workers.management.job_command import JobCommand

_SHARES = re.compile(r"-\d")

UNTOUCHED = {
    "create": "nothing was published",
    "publish": "nothing was published",
    "list": "nothing was changed",
    "export": "nothing was exported",
}


class _Parser(CommandParser):
    """Takes what follows --split for its value, also where it begins with a minus as options do."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        joined: list[str] = []
        for each in sys.argv[1:] if args is None else args:
            if joined and joined[-1] == "--split" and _SHARES.match(each):
                joined[-1] = f"--split={each}"
            else:
                joined.append(each)
        return super().parse_known_args(joined, namespace)


class Command(JobCommand):
    help = "Make, publish, list and export releases."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        actions = parser.add_subparsers(
            dest="action", required=True, metavar="create|publish|list|export", parser_class=_Parser
        )
        create = actions.add_parser("create", help="share a collection's patients out and publish")
        create.add_argument("name", metavar="NAME")
        create.add_argument("--collection", metavar="SLUG", help="may be left out when there is only one")
        create.add_argument("--split", default="70/15/15", help="70/15/15, or official")
        create.add_argument("--seed", type=int, default=0)
        create.add_argument("--draft", action="store_true", help="do not publish yet")
        super().add_arguments(create)
        publish = actions.add_parser("publish", help="publish a draft, for good")
        publish.add_argument("name", metavar="NAME")
        actions.add_parser("list", help="show all releases")
        out = actions.add_parser("export", help="write DL_info.csv, Images_png and manifest.json to a folder or a zip")
        out.add_argument("name", metavar="NAME")
        out.add_argument(
            "--out", type=Path, metavar="DIR", help="a new or empty folder; without it the zip that the site serves"
        )
        super().add_arguments(out)
        out.add_argument("--no-images", action="store_true", help="leave Images_png out")
        out.add_argument("--progress", action="store_true", help="show progress without a terminal, too")

    def handle(self, *args: Any, **options: Any) -> None:
        with one_sentence(UNTOUCHED[options["action"]]):
            getattr(self, f"_{options['action']}")(options)

    def _create(self, options: dict[str, Any]) -> None:
        try:
            split = releases.split_of(options["split"])
        except releases.ReleaseRefused as error:
            raise CommandError(f"--split {error}") from None
        name, collection, seed = options["name"], _collection(options["collection"]), options["seed"]
        releases.check_name(name)
        if options["draft"]:
            draft = releases.create(name, collection, split=split, seed=seed, publish=False)
            self.stdout.write(_described(draft))
            return
        wanted = {"release": name, "collection": collection.slug, "split": options["split"], "seed": seed}
        job = self.job(KIND.name, wanted, wait=options["wait"])
        made = releases.find(name)
        if job is not None and made is not None:
            self._tell(made, job.result["damaged"])

    def _publish(self, options: dict[str, Any]) -> None:
        damaged: list[str] = []
        with bar("Pixels", "slices") as progress:
            release = releases.publish(options["name"], on_images=progress, on_damage=damaged.append)
        engine.enqueue(kind=manifest.KIND.name, params={"release": release.name})
        self._tell(release, damaged)

    def _tell(self, release: Release, damaged: list[str]) -> None:
        self.stdout.write(_described(release))
        if release.compared:
            self.stdout.write(leaks_looked_for(release))
        for image in damaged:
            self.stderr.write(f"Image: {image}")
        if damaged:
            raise Incomplete("damaged images were left out; they are listed above")

    def _list(self, options: dict[str, Any]) -> None:
        for release in Release.objects.select_related("collection").order_by("id"):
            self.stdout.write(_described(release))

    def _export(self, options: dict[str, Any]) -> None:
        release = releases.find(options["name"])
        if release is None:
            raise CommandError(f"there is no release {options['name']}")
        if options["out"] is None:
            self._pack(options)
            return
        with bar("Images", "slices", options["progress"]) as progress:
            export(release, options["out"], images=not options["no_images"], progress=progress)
        self.stdout.write(f"{release.name} is in {options['out']}.")
        if absent := release.compared.get("key_slices_without"):
            self.stdout.write(f"{counted(absent, 'key slice')} of it {'has' if absent == 1 else 'have'} no image.")

    def _pack(self, options: dict[str, Any]) -> None:
        if options["no_images"]:
            raise CommandError("--no-images needs --out")
        job = self.job(
            packing.KIND.name, {"release": options["name"]}, wait=options["wait"], always=options["progress"]
        )
        if job is not None:
            made = job.result
            self.stdout.write(f"{options['name']} is packed: {made['bytes']} bytes, SHA-256 {made['sha256']}.")


def _collection(slug: str | None) -> Collection:
    found = list(Collection.objects.filter(slug=slug) if slug else Collection.objects.all()[:2])
    if not found:
        raise CommandError(f"there is no collection {slug}" if slug else "there is no collection yet")
    if len(found) > 1:
        slugs = ", ".join(Collection.objects.values_list("slug", flat=True))
        raise CommandError(f"say which collection with --collection: {slugs}")
    return found[0]


def _described(release: Release) -> str:
    head = f"{release.name}: {release.get_state_display()}, {release.collection.slug}, {release.split_method}"
    if release.state == Release.State.DRAFT:
        return f"{head}; {_lesions(release.members.count(), release.patients.count())}"
    parts = [
        f"{name} {_lesions(counts['lesions'], counts['patients'])}"
        for name in dl_info.SPLITS.values()
        if (counts := release.counts.get(name, {})).get("patients")
    ]
    return f"{head}; {', '.join(parts)}"


def _lesions(lesions: int, patients: int) -> str:
    return f"{counted(lesions, 'lesion')} of {counted(patients, 'patient')}"
