"""What every peer shares: a temporary folder, and a process that is waited for and stopped by its id."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from datasets.phantom.process import PeerFailed, as_user, free_port, running, wait_until

__all__ = ["PeerFailed", "as_user", "free_port", "running", "temporary_folder", "wait_until"]


@contextmanager
def temporary_folder(name: str) -> Iterator[Path]:
    """Give a folder of our own, and remove it with all that is in it."""
    folder = Path(tempfile.mkdtemp(prefix=f"deeplesion-{name}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
