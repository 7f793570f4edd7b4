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
        collections = self.collections(release)
        newest = self.chosen(model)
        for collection in collections:
            params = {"collection": collection.slug, "model": newest.version}
            try:
                job = self.job(KIND.name, params, wait=wait, otherwise="what was located before stays")
            except BodyPartError as error:
                raise CommandError(str(error)) from None
            if job is not None:
                self.stdout.write(f"{collection.slug}: {told(job.result)}")

    def chosen(self, version: str | None) -> LocationModel:
        """The model of a version, or the newest."""
        known = list(LocationModel.objects.order_by("-id"))
        found = next((model for model in known if version in (None, model.version)), None)
        if found is not None:
            return found
        unknown = f"there is no model {version}" if version else ""
        if known:
            raise CommandError(f"{unknown}; known are {', '.join(model.version for model in known)}")
        first = "no body-part regressor is trained yet; train one with: manage.py train_bodypart RELEASE"
        raise CommandError(f"{unknown}: {first}" if unknown else first)

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
