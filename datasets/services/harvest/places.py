"""Where in the source the problems of a harvest lie, for whoever may read the server's files.

A worker has no terminal to tell it to, and names of files and UIDs can identify, so that the database never has them.
They lie in a file beside the order, for its owner's eyes alone, and go when that would.
"""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

PART = ".places-"


def write(name: str, folder: Path, lines: Sequence[str]) -> str:
    """Write down what the harvest of an order told; the latest counts, and without lines there is no file.

    Returns the file's place below DATA_DIR, "" for none.
    """
    path = file_of(name, folder)
    if not lines:
        path.unlink(missing_ok=True)
        return ""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Made with the rights 0600; names of files need not be text.
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=PART)
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.writelines(f"{line}\n" for line in lines)
    os.replace(temporary, path)
    return f"{folder.name}/{path.name}"


def file_of(name: str, folder: Path) -> Path:
    """Where it is."""
    return folder / f"{name}.txt"
