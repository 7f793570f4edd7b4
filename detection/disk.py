"""A disk that runs full, or a folder that cannot be written to, becomes one named error."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from detection.errors import BadRun, DiskFull

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""No room on the disk, in the user's share of it, or for a file of this size."""


@contextmanager
def writing(folder: Path, full: str = "") -> Iterator[None]:
    """Do what is within, which writes below a folder.

    Parameters
    ----------
    full : what to say where there is no room; unless given, that a run goes on from its checkpoint.

    Raises
    ------
    DiskFull : there is no room.
    BadRun : it cannot be written for another reason.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        # Out of torch's writer a full disk comes as a RuntimeError that happened while the OSError was handled.
        cause = error if isinstance(error, OSError) else error.__context__
        if not isinstance(cause, OSError):
            raise
        if cause.errno in FULL:
            going_on = f"The disk of {folder} is full; make room and go on from the newest checkpoint with --resume"
            raise DiskFull(full or going_on) from error
        raise BadRun(f"{folder} cannot be written: {cause.strerror or cause}") from error
