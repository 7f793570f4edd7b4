"""`make demo`: the whole system on a phantom hospital, from its PACS to a release on screen."""

import contextlib
import signal
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from datasets import dl_info, manifest
from datasets.management.failures import one_sentence
from datasets.management.progress import bar
from datasets.models import LocationModel, Release
from datasets.phantom import COLLECTION
from datasets.phantom.hospital import write_hospital
from deeplesion_site import servers
from deeplesion_site.accounts.demo import DEMO_ACCOUNTS, create_demo_accounts
from detection.bodypart.settings import FEWEST_SERIES
from detection.models import TrainingRun
from workers import engine, training
from workers.kinds import import_download
from workers.models import Job

RELEASE = "demo-1.0"
PUBLISHED = "deeplesion"
SEED = 2018
PATIENTS = 20
DETECTOR = {"release": RELEASE, "preset": "tiny"}
"""What is trained in the worker; a second start trains nothing."""
FIRST = ("import", "release", "manifest", "bodypart", "locate")
"""Jobs that the detector's training, the longest of all, waits for."""


def check_download(folder: Path) -> None:
    """Refuse, before anything takes minutes, a folder that is no DeepLesion download."""
    if not folder.is_dir():
        raise CommandError(f"DEEPLESION={folder} is not a folder")
    if not (folder / manifest.TABLE).is_file():
        raise CommandError(f"DEEPLESION={folder} holds no {manifest.TABLE}")
    with one_sentence():
        next(dl_info.read(folder / manifest.TABLE), None)


class Command(BaseCommand):
    waiting: TrainingRun | None = None
    help = "Generates the phantom hospital, harvests, curates and publishes it, and serves the site until Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--patients", type=int, help=f"size of the phantom hospital (default {PATIENTS})")
        parser.add_argument("--deeplesion", type=Path, metavar="DIR", help="a DeepLesion download to import as well")

    def handle(self, *, patients: int | None, deeplesion: Path | None, **_: Any) -> None:
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            signal.signal(getattr(signal, name), signal.default_int_handler)
        port: int = settings.PORT
        try:
            servers.check_port(port, "make demo")
            if deeplesion is not None:
                check_download(deeplesion)
            with one_sentence("what is ready stays"):
                self.prepare(patients, deeplesion)
            self.serve(port)
        except (servers.PortTaken, servers.ServerEnded) as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            self.stdout.write("\nEnded. `make demo` goes on from here.")

    def prepare(self, patients: int | None, deeplesion: Path | None) -> None:
        """Bring the data folder to where it can be served; what is there already is kept."""
        call_command("migrate", verbosity=0)
        create_demo_accounts()
        download = None if deeplesion is None else self.download(deeplesion)
        self.phantom(patients)
        if not LocationModel.objects.filter(trained_on=RELEASE).exists():
            self.ask_for_places()
        if download is not None:
            # After the short ones: looking at the images of a whole download takes many minutes.
            engine.enqueue(kind=import_download.KIND.name, params=download)
        self.waiting = TrainingRun.objects.filter(release=RELEASE).first() or training.request(DETECTOR)

    def ask_for_places(self) -> None:
        """Send for the body-part regressor if the hospital is large enough to learn one from."""
        counts = Release.objects.get(name=RELEASE).counts
        if counts["train"]["series"] + counts["val"]["series"] < FEWEST_SERIES:
            self.stdout.write("A hospital this small teaches no body-part regressor; no lesion is on the map.")
            return
        engine.enqueue(kind="bodypart", params={"release": RELEASE, "preset": "small", "phantom": 10})

    def phantom(self, patients: int | None) -> None:
        """Generate, harvest, curate and publish the phantom hospital, each once."""
        folder = settings.DATA_DIR / "phantom"
        made = next(folder.glob("*-patients"), None) if folder.is_dir() else None
        if made is not None and patients is not None and made.name != f"{patients}-patients":
            raise CommandError(
                f"{settings.DATA_DIR} holds a phantom hospital of {made.name.removesuffix('-patients')} patients; "
                f"for {patients} choose another folder, as in DATA_DIR=var-{patients} make demo PATIENTS={patients}"
            )
        if patients is not None and patients < 3:
            raise CommandError("PATIENTS must be 3 or more, one for each split")
        hospital = made or folder / f"{patients or PATIENTS}-patients"
        if made is None:
            with bar("Phantom hospital", "patients", always=True) as progress:
                write_hospital(hospital, patients=patients or PATIENTS, seed=SEED, processes=2, progress=progress)
        if not Release.objects.filter(name=RELEASE).exists():
            call_command(
                "harvest",
                f"dir://{hospital / 'dicom'}",
                collection=COLLECTION,
                title="Phantom hospital",
                # Whole volumes, as in the paper: the body-part regressor learns from shoulders to groin.
                context=None,
                progress=True,
                wait=True,
            )
            call_command("release", "create", RELEASE, collection=COLLECTION, split="70/15/15", seed=SEED)

    def download(self, folder: Path) -> dict[str, Any]:
        """What the worker is to import, once nothing speaks against it at first sight; its release comes by itself.

        Importing again adds nothing, and takes images that have come since.
        """
        images = folder / manifest.IMAGES
        return import_download.params_of(
            folder / manifest.TABLE,
            images=images if images.is_dir() else None,
            collection=PUBLISHED,
            release="" if Release.objects.filter(name=PUBLISHED).exists() else PUBLISHED,
        )

    def serve(self, port: int) -> None:
        """Serve the site and its workers until Ctrl-C."""
        with servers.running(port) as processes:
            self.stdout.write(f"\nDeepLesion is at http://127.0.0.1:{port}/   (Ctrl-C ends it)\n\n")
            for name, password in DEMO_ACCOUNTS.items():
                self.stdout.write(f"  {name:<11} {password}\n")
            self.stdout.flush()
            servers.watch(processes, self.train_after_locating)

    def train_after_locating(self) -> None:
        """Send the detector to the worker once downloads are ready and the lesions are on the map."""
        if self.waiting is None:
            return
        with contextlib.suppress(OperationalError):  # the next look may find the database free
            self._train_after_locating(self.waiting)

    def _train_after_locating(self, run: TrainingRun) -> None:
        if Job.objects.filter(kind__in=FIRST, finished=None).exists():
            return
        run.refresh_from_db()
        if run.state == TrainingRun.State.QUEUED:
            engine.enqueue(kind="train", params=DETECTOR)
        self.waiting = None
