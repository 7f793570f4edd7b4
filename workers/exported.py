"""A published release as a folder on disk, where the detector and the dataset meet; written once, then shared."""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from django.conf import settings

from datasets.models import Release
from datasets.services.errors import Refused
from datasets.services.export import export

LOOK_EVERY_S = 0.5


class NoSuchRelease(Refused):
    """Nothing to learn from."""


class InUse(Refused):
    """Another process works in the same folder."""


def exported(name: str, progress: Callable[[int, int], None]) -> Path:
    """Give the folder of a release, which is written unless it is there; slices are hard links where that is possible.

    Parameters
    ----------
    progress : called with slices done and in all while it is written, with 0 of 0 while another process writes it;
        what it raises ends this.

    Raises
    ------
    NoSuchRelease : there is none of this name, or it is a draft.
    Refused : an image is missing or has changed.
    """
    release = published(name)
    folder = Path(settings.DATA_DIR) / "exports" / release.name
    with alone_in(folder.with_name(f".{release.name}.lock"), waiting=lambda: progress(0, 0)):
        if not folder.is_dir():
            export(release, folder, link=True, progress=progress)
    return folder


def published(name: str) -> Release:
    """The published release of a name.

    Raises
    ------
    NoSuchRelease
    """
    release = Release.objects.select_related("collection").filter(name=name).first()
    if release is None:
        raise NoSuchRelease(f"there is no release {name}")
    if release.state != Release.State.PUBLISHED:
        raise NoSuchRelease(f"{name} is a draft; publish it first: manage.py release publish {name}")
    return release


@contextmanager
def alone_in(path: Path, *, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold a lock on a file while the block runs; the system lets go of it when the process ends, however it ends.

    Parameters
    ----------
    waiting : called again and again while another process holds it; what it raises ends that. None for no waiting.

    Raises
    ------
    InUse : another process holds it, and nobody waits.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        while not _locked(file):
            if waiting is None:
                raise InUse("another process is at this already; wait until it has ended")
            waiting()
            time.sleep(LOOK_EVERY_S)
        yield


def _locked(file: IO[str]) -> bool:
    """Take the lock, where nobody has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
