"""A disk that is really full: a file system of a few KiB, which only root may mount."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(place: Path, kib: int) -> Iterator[Path]:
    """Mount a file system of some KiB at `place`, an empty or new folder; skip the test where that is not allowed."""
    if os.geteuid() != 0:
        pytest.skip("a disk of a few KiB can be mounted by root alone")
    place.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"a disk of a few KiB cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        # Lazily: a thread of a failed test may still hold a file open.
        subprocess.run(["umount", "--lazy", str(place)], check=True)
