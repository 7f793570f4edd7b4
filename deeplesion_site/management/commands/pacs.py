"""`make pacs`: a PACS to try a harvest on, Orthanc filled with the phantom hospital."""

import fcntl
import json
import os
import secrets
import signal
import socket
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from datasets.management.progress import bar
from datasets.phantom.hospital import write_hospital
from datasets.phantom.orthanc import Orthanc, find_plugin, find_program, served
from datasets.phantom.process import PeerFailed, free_port

PATIENTS = 4
SEED = 2018
HTTP_PORT, DICOM_PORT, MOVE_PORT = 8042, 4242, 11112
"""Taken when they are free, as by Orthanc itself; else any others."""

INSTALL = (
    "Orthanc is not installed; on Debian or Ubuntu, as root: apt-get install -y --no-install-recommends "
    "orthanc orthanc-dicomweb"
)

TRY = """
The phantom hospital's PACS is up (Ctrl-C ends it; what it holds stays in {folder}). In another terminal:

  . .venv/bin/activate{elsewhere}
  export DICOMWEB_PASSWORD="$(cat {folder}/password)"
  python manage.py migrate

(Where the site runs, its worker does the harvests: start `make serve` after the same `export` as well.)
By DICOMweb, first as a dry run:
  python manage.py harvest {web} --collection pacs --dry-run
  python manage.py harvest {web} --collection pacs
By DIMSE, with C-GET and with C-MOVE:
  python manage.py harvest '{dimse}' --collection pacs
  python manage.py harvest '{dimse}{move}' --collection pacs
By accession numbers, and what is new since the last time:
  python manage.py harvest {web} --collection pacs --accessions {folder}/accessions.txt
  python manage.py harvest {web} --collection pacs --since-last
"""


class Command(BaseCommand):
    help = "Starts a private Orthanc with the phantom hospital in it and prints the harvests to try, until Ctrl-C."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--patients", type=int, help=f"size of a new phantom hospital (default {PATIENTS})")

    def handle(self, *, patients: int | None, **_: Any) -> None:
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            signal.signal(getattr(signal, name), signal.default_int_handler)
        program, plugin = find_program(), find_plugin()
        if program is None or plugin is None:
            raise CommandError(INSTALL)
        if patients is not None and patients < 1:
            raise CommandError("PATIENTS must be 1 or more")
        folder = settings.DATA_DIR / "pacs"
        try:
            with alone(folder):
                hospital = self.hospital(folder, patients)
                with served(described(folder), program, plugin) as orthanc:
                    self.fill(orthanc, hospital)
                    self.stdout.write(instructions(orthanc, folder))
                    self.stdout.flush()
                    wait_for_the_end_of(orthanc.pid)
        except PeerFailed as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            self.stdout.write("\nEnded. `make pacs` goes on with what it holds.")

    def hospital(self, folder: Path, patients: int | None) -> Path:
        """The phantom hospital: that of `make demo` where there is one, else one of its own."""
        made = [*folder.glob("*-patients"), *(settings.DATA_DIR / "phantom").glob("*-patients")]
        if made and (patients is None or made[0].name == f"{patients}-patients"):
            return made[0]
        if made:
            raise CommandError(
                f"{made[0]} holds a phantom hospital already; for one of {patients} patients choose another folder, "
                f"as in DATA_DIR=var-{patients} make pacs PATIENTS={patients}"
            )
        count = patients or PATIENTS
        with bar("Phantom hospital", "patients", always=True) as progress:
            write_hospital(folder / f"{count}-patients", patients=count, seed=SEED, processes=2, progress=progress)
        return folder / f"{count}-patients"

    def fill(self, orthanc: Orthanc, hospital: Path) -> None:
        """Store what the PACS does not hold yet, and write down the accession numbers."""
        people = json.loads((hospital / "truth.json").read_text(encoding="utf-8"))["people"]
        numbers = [study["accession"] for person in people for study in person["studies"]]
        (orthanc.folder.parent / "accessions.txt").write_text("\n".join(numbers) + "\n", encoding="utf-8")
        files = sorted((hospital / "dicom").rglob("*.dcm"))
        if json.loads(orthanc.request("/statistics"))["CountInstances"] == len(files):
            return
        with bar("PACS", "files", always=True) as progress:
            for done, path in enumerate(files, start=1):
                orthanc.request("/instances", path.read_bytes())
                progress(done, len(files))


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder for one PACS.

    Raises
    ------
    CommandError : another one has it.
    """
    (folder / "orthanc").mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(f"a PACS runs in {folder} already") from None
        yield


def described(folder: Path) -> Orthanc:
    """The PACS that runs in a folder; its password is made once."""
    password = folder / "password"
    if not password.exists():
        handle = os.open(password, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(12))
    return Orthanc(
        http_port=port(HTTP_PORT),
        user="deeplesion",
        password=password.read_text(),
        aet="ORTHANC",
        dicom_port=port(DICOM_PORT),
        move_aet="HARVEST",
        move_port=port(MOVE_PORT),
        pid=0,
        folder=folder / "orthanc",
    )


def port(usual: int) -> int:
    """The usual port, or another one where somebody listens on it."""
    with socket.socket() as probe, suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("", usual))
        return usual
    return free_port()


def instructions(orthanc: Orthanc, folder: Path) -> str:
    """What to type to harvest it."""
    named = os.environ.get("DATA_DIR")
    with suppress(ValueError):
        folder = folder.relative_to(settings.BASE_DIR)
    return TRY.format(
        folder=folder,
        elsewhere=f"\n  export DATA_DIR={named}" if named else "",
        web=orthanc.web,
        dimse=orthanc.dimse,
        move=orthanc.move,
    )


def wait_for_the_end_of(pid: int) -> None:
    """Return never, unless the process ends.

    Raises
    ------
    PeerFailed
    """
    # A child that ended stays in the process table until it is waited for, so that its id cannot mean another one.
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        time.sleep(0.5)
    raise PeerFailed("Orthanc ended")
