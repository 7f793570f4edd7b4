"""`manage.py locate`: where in the body the lesions of a release's collection lie."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from datasets.management.failures import one_sentence
from datasets.management.progress import bar
from datasets.models import Collection, LocationModel, Release
from detection.bodypart.errors import BodyPartError
from workers import engine
from workers.locating import locate_lesions
from workers.models import Job


class Command(BaseCommand):
    help = "Scores slices with a body-part regressor and locates lesions; what it has located before stays."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("release", metavar="RELEASE|all", help="whose collection to locate")
        parser.add_argument("--model", help="version of the model; the newest if none is named")

    def handle(self, *, release: str, model: str | None, **_: Any) -> None:
        chosen = LocationModel.objects.filter(version=model) if model else LocationModel.objects.all()
        newest = chosen.order_by("-id").first()
        if newest is None:
            raise CommandError("there is no such model; train one with: manage.py train_bodypart RELEASE")
        for collection in self.collections(release):
            try:
                with one_sentence("what was located before stays"), bar(collection.slug, "series") as progress:
                    found = engine.run_here(
                        kind=Job.Kind.LOCATE,
                        params={"collection": collection.slug, "model": newest.version},
                        work=locate_lesions,
                        progress=progress,
                    )
            except BodyPartError as error:
                raise CommandError(str(error)) from None
            lesions = found.pop("lesions", 0)
            series = ", ".join(f"{count} series {finding}" for finding, count in found.items()) or "nothing new"
            self.stdout.write(f"{collection.slug}: {lesions} lesions located; {series}")

    def collections(self, release: str) -> list[Collection]:
        """The collections that a release, or all of them, draw on."""
        if release == "all":
            return list(Collection.objects.all())
        found = Release.objects.filter(name=release).select_related("collection").first()
        if found is None:
            raise CommandError(f"there is no release {release}")
        return [found.collection]
