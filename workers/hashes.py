"""SHA-256 of the files that a job leaves: they go into its row, so that what becomes of the files is seen."""

import hashlib
from collections.abc import Iterable
from pathlib import Path


def of(path: Path) -> str:
    """Of one file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def of_those(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Of the files of these names that a folder has, by name."""
    return {name: of(folder / name) for name in names if (folder / name).is_file()}
