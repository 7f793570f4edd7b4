"""`manage.py locate`: where in the body the lesions of a release's collection lie."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from datasets.models import Collection, LocationModel, Release
from detection.bodypart.errors import BodyPartError
from workers.kinds.locate import KIND
from workers.locating import told
from workers.management.job_command import JobCommand


class Command(JobCommand):
    help = "Scores slices with a body-part regressor and locates lesions; what it has located before stays."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("release", metavar="RELEASE|all", help="whose collection to locate")
        parser.add_argument("--model", help="version of the model; the newest if none is named")

    def handle(self, *, release: str, model: str | None, wait: bool, **_: Any) -> None:
        chosen = LocationModel.objects.filter(version=model) if model else LocationModel.objects.all()
        newest = chosen.order_by("-id").first()
        if newest is None and model and LocationModel.objects.exists():
            known = ", ".join(LocationModel.objects.values_list("version", flat=True))
            raise CommandError(f"there is no model {model}; known are {known}")
        if newest is None:
            raise CommandError("there is no such model; train one with: manage.py train_bodypart RELEASE")
        for collection in self.collections(release):
            params = {"collection": collection.slug, "model": newest.version}
            try:
                job = self.job(KIND.name, params, wait=wait, otherwise="what was located before stays")
            except BodyPartError as error:
                raise CommandError(str(error)) from None
            if job is not None:
                self.stdout.write(f"{collection.slug}: {told(job.result)}")

    def collections(self, release: str) -> list[Collection]:
        """The collections that a release, or all of them, draw on."""
        if release == "all":
            everything = list(Collection.objects.all())
            if not everything:
                raise CommandError("there is nothing to locate: no collection was imported or harvested")
            return everything
        found = Release.objects.filter(name=release).select_related("collection").first()
        if found is None:
            raise CommandError(f"there is no release {release}")
        return [found.collection]
